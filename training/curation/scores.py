"""Scores (0..1) for the paper's four defects, and the thresholds above which a pair counts as defective."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from igr_core.errors import IGRError

from .evidence import Evidence, EvidenceKind
from .measures import Facing, occluded, proportion, side_view, truncated

Defect = Literal["occluded", "truncated", "side_view", "proportion"]
DEFECT_NAMES: tuple[Defect, ...] = ("occluded", "truncated", "side_view", "proportion")
"""The paper's defects, as named in the manifest's columns."""


@dataclass(frozen=True)
class CurationConfig:
    """Thresholds for defects, chosen on drawn pairs with seeds 0..1499 (192x256, bad_share 0.4), tested on others."""

    occluded: float = 0.22
    """Minimum fraction of the garment's core that an unknown object hides, from parsing and keypoints."""
    occluded_parsing: float = 0.14
    """The same from parsing only: gap / (garment + gap)."""
    occluded_mask: float = 0.21
    """The same from the mask only: the fraction of the garment that is invisible compared with the flat image."""
    truncated: float = 0.06
    """Minimum fraction of the garment's outline that is on the photo's border."""
    side_view: float = 0.25
    """Minimum narrowing compared with a person who faces the camera, from keypoints."""
    side_view_parsing: float = 0.345
    """The same from parsing only: the garment compared with the face and with the flat garment."""
    side_view_mask: float = 0.28
    """The same from the mask only: the garment compared with its height and with the flat garment."""
    proportion: float = 0.3
    """Minimum shrinking or narrowing of the flat garment compared with a usual flat image."""
    facing_shoulders: float = 0.45
    """Shoulder to shoulder / neck to mid hip of a person who faces the camera; the default was measured on drawn
    people, so measure it on your data set."""
    facing_hips: float = 0.27
    """Hip to hip / neck to mid hip of a person who faces the camera."""
    facing_thigh: float = 0.47
    """Hip to hip / hip to knee of a person who faces the camera, for photos that do not show the head."""
    fill: float = 0.87
    """Fraction of a 3:4 canvas, in the tighter direction, that a rescaled flat garment fills."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 < value <= 1:
                raise IGRError(f"The curation's {name} is {value}: use a fraction above 0 and at most 1.")

    def threshold(self, defect: Defect, kind: EvidenceKind) -> float:
        """Threshold for a defect with the available evidence."""
        values = asdict(self)
        return values.get(f"{defect}_{kind}", values[defect])


@dataclass(frozen=True)
class Scores:
    """Scores for a pair's defects, 0..1; their meaning depends on the evidence."""

    occluded: float
    """Fraction of the garment that unknown objects hide."""
    truncated: float
    """Fraction of the garment's outline that is on the photo's border."""
    side_view: float
    """How much narrower the person is than a person who faces the camera."""
    proportion: float
    """How much smaller or narrower the flat garment is than usual."""
    seen: float
    """Fraction of the photo that the garment covers; not a defect, but large garments are more useful for training."""
    kind: EvidenceKind
    """Evidence for the scores."""

    def defects(self, config: CurationConfig) -> list[Defect]:
        """Defects whose score reaches the threshold."""
        return [name for name in DEFECT_NAMES if getattr(self, name) >= config.threshold(name, self.kind)]

    def badness(self, config: CurationConfig) -> float:
        """A number to rank pairs by: mainly the worst score relative to its threshold.

        Proportion never counts as the worst, because rescaling the flat garment fixes it.
        """
        shares = {name: getattr(self, name) / config.threshold(name, self.kind) for name in DEFECT_NAMES}
        mended = shares.pop("proportion")
        worst = max(shares.values())
        return worst + 0.1 * (sum(shares.values()) - worst + mended + 1 - self.seen)


def score(evidence: Evidence, config: CurationConfig) -> Scores:
    """Compute all four scores of a pair."""
    cut, hidden = truncated(evidence), occluded(evidence)
    # the width of a partly invisible garment is unknown
    whole = cut < config.truncated and hidden < config.threshold("occluded", evidence.kind)
    facing = Facing(config.facing_shoulders, config.facing_hips, config.facing_thigh)
    turned = side_view(evidence, whole, facing)
    seen = evidence.garment.mean()
    values = (hidden, cut, turned, proportion(evidence, config.fill, whole), seen)
    return Scores(*(round(min(max(float(value), 0.0), 1.0), 4) for value in values), evidence.kind)
