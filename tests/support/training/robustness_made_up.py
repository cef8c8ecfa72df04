"""A measurement without a model: scores that fall with the overlap."""

from __future__ import annotations

from training.robustness.results import CLEAN, COLUMNS, NO_MASK, Condition, Robustness
from training.robustness.spoilers import KINDS, LEVELS

PHOTOS = 4


def condition(kind: str, aim: float | None, lost: float, reached: tuple[bool, ...] = (True,) * PHOTOS) -> Condition:
    """Scores of 0.5 and more, less `lost`; that of each photo loses a little more than the one before."""
    values = tuple(0.5 + 0.1 * number - lost * (1 + 0.1 * number) for number in range(PHOTOS))
    overlap = (1.0 if aim is None else aim,) * PHOTOS
    return Condition(kind, aim, overlap, (1 - overlap[0],) * PHOTOS, reached, dict.fromkeys(COLUMNS, values))


def measurement() -> Robustness:
    """All conditions; of the largest dilation one photo is reached, and of the next two."""
    conditions = [condition(CLEAN, None, 0.0)]
    for number, kind in enumerate(KINDS):
        for level in LEVELS:
            reached = {("dilation", 0.5): 1, ("dilation", 0.7): 2}.get((kind, level), PHOTOS)
            flags = tuple(photo < reached for photo in range(PHOTOS))
            conditions.append(condition(kind, level, (1 - level) * (1 + number) / 4, flags))
    conditions.append(condition(NO_MASK, None, 0.4))
    settings = {"bundle": "tiny", "weights_sha256": "a" * 64, "guidance": 1.5, "steps": 5, "revision": "b" * 40}
    seeds = tuple(range(10_000_000, 10_000_000 + PHOTOS))
    return Robustness(settings, seeds, ("upper",) * PHOTOS, "python -m x", {"torch": "2"}, tuple(conditions))
