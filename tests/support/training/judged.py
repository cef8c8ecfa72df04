"""Judged pairs for tests."""

import hashlib

from training.curation.duplicates import CELLS
from training.curation.evidence import EvidenceKind
from training.curation.manifest import Judged
from training.curation.scores import Scores


def judged(
    name: str,
    category: str = "upper",
    *,
    occluded: float = 0.0,
    truncated: float = 0.0,
    side_view: float = 0.0,
    proportion: float = 0.0,
    kind: EvidenceKind = "keypoints",
    place: int | None = None,
) -> Judged:
    """A pair with these scores; pairs with the same `place` (by default, that of the name) show the same content."""
    seed = name if place is None else str(place)
    length = 2 * CELLS * CELLS // 4
    hashes = [(hashlib.sha512(f"{seed} {part}".encode()).hexdigest())[:length] for part in ("person", "garment")]
    scores = Scores(occluded, truncated, side_view, proportion, 0.3, kind)
    return Judged(name, category, scores, (-3, -4, 93, 124), *hashes)
