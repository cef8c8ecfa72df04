"""How far a pair shows each of the paper's four defects, each 0..1, and from where on it counts as one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from igr_core.errors import IGRError

from .evidence import Evidence, EvidenceKind
from .measures import Facing, occluded, proportion, side_view, truncated

Defect = Literal["occluded", "truncated", "side_view", "proportion"]
DEFECT_NAMES: tuple[Defect, ...] = ("occluded", "truncated", "side_view", "proportion")
"""The paper's defects, as the manifest's columns call them."""


@dataclass(frozen=True)
class CurationConfig:
    """What counts as a defect; chosen on drawn pairs of seeds 0..1499 (192x256, bad_share 0.4), reported on others."""

    occluded: float = 0.22
    """Least share of the core of the garment that an unknown object hides, by parsing and keypoints."""
    occluded_parsing: float = 0.14
    """The same by parsing alone: share of garment and gap that is gap."""
    occluded_mask: float = 0.21
    """The same by the mask alone: how much less of the garment is seen than the flat picture shows."""
    truncated: float = 0.06
    """Least share of the garment's outline that runs along the photo's border."""
    side_view: float = 0.25
    """How much narrower than a person who faces the camera, by keypoints."""
    side_view_parsing: float = 0.345
    """The same by parsing alone: garment against face and against flat garment."""
    side_view_mask: float = 0.28
    """The same by the mask alone: garment against its height and against flat garment."""
    proportion: float = 0.3
    """How much smaller in its picture, or narrower, than a flat garment is laid out."""
    facing_shoulders: float = 0.45
    """Shoulders over neck to mid hip of a person who faces the camera: of drawn people; measure it on your data set."""
    facing_hips: float = 0.27
    """The same of the hips."""
    facing_thigh: float = 0.47
    """Hips over thigh of such a person, for photos without a head."""
    fill: float = 0.87
    """Share of a 3:4 canvas, in the tighter direction, that a refitted flat garment fills."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 < value <= 1:
                raise IGRError(f"The curation's {name} is {value}: give a share above 0, at most 1.")

    def threshold(self, defect: Defect, kind: EvidenceKind) -> float:
        """The score from which on a pair has the defect, by the evidence that there was."""
        values = asdict(self)
        return values.get(f"{defect}_{kind}", values[defect])


@dataclass(frozen=True)
class Scores:
    """How far a pair shows each defect, 0..1; what a number means depends on the evidence."""

    occluded: float
    """Share of the garment that something unknown hides."""
    truncated: float
    """Share of the garment's outline along the photo's border."""
    side_view: float
    """How much narrower the person is than one who faces the camera."""
    proportion: float
    """How much smaller or narrower the flat garment is than usual."""
    seen: float
    """Share of the photo that is garment: no defect, but of two good pairs the larger one teaches more."""
    kind: EvidenceKind
    """What they were read from."""

    def defects(self, config: CurationConfig) -> list[Defect]:
        """Which defects the pair has."""
        return [name for name in DEFECT_NAMES if getattr(self, name) >= config.threshold(name, self.kind)]

    def badness(self, config: CurationConfig) -> float:
        """One number to rank by: each score over its threshold, the worst first and the others a little.

        Proportion is never the worst, as refitting the flat garment mends it.
        """
        shares = {name: getattr(self, name) / config.threshold(name, self.kind) for name in DEFECT_NAMES}
        mended = shares.pop("proportion")
        worst = max(shares.values())
        return worst + 0.1 * (sum(shares.values()) - worst + mended + 1 - self.seen)


def score(evidence: Evidence, config: CurationConfig) -> Scores:
    """All four scores of a pair."""
    cut, hidden = truncated(evidence), occluded(evidence)
    # no width can be told of a garment of which a part is out of sight
    whole = cut < config.truncated and hidden < config.threshold("occluded", evidence.kind)
    facing = Facing(config.facing_shoulders, config.facing_hips, config.facing_thigh)
    turned = side_view(evidence, whole, facing)
    seen = evidence.garment.mean()
    values = (hidden, cut, turned, proportion(evidence, config.fill, whole), seen)
    return Scores(*(round(min(max(float(value), 0.0), 1.0), 4) for value in values), evidence.kind)
