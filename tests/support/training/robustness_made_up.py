"""A made-up measurement without a model, with scores that fall with the IoU."""

from __future__ import annotations

from dataclasses import asdict

from igr_core.model.config import to_json
from training.evaluation.images.folders import ImageList
from training.evaluation.metrics.protocols import protocol_named
from training.evaluation.result import Paired, Result
from training.robustness.corruptions import KINDS, LEVELS
from training.robustness.results import CLEAN, COLUMNS, NO_MASK, Condition, Robustness

PHOTOS = 4
SETTINGS = {"bundle": "tiny", "weights_sha256": "a" * 64, "guidance": 1.5, "steps": 5, "revision": "b" * 40}
"""Settings of the measurement."""


def condition(kind: str, aim: float | None, lost: float, reached: tuple[bool, ...] = (True,) * PHOTOS) -> Result:
    """Scores of 0.5 and more, minus `lost`; each photo's score is slightly lower than the previous one."""
    values = [0.5 + 0.1 * number - lost * (1 + 0.1 * number) for number in range(PHOTOS)]
    overlap = (1.0 if aim is None else aim,) * PHOTOS
    one = Condition(kind, aim, overlap, (1 - overlap[0],) * PHOTOS, reached)
    mask = {name: list(value) if isinstance(value, tuple) else value for name, value in to_json(one).items()}
    listed = ImageList("garments", "", PHOTOS, {"png": PHOTOS}, {"48x64": PHOTOS})
    return Result(
        name=one.title,
        kind="bundle",
        protocol=asdict(protocol_named("native")),
        generated=listed,
        reference=listed,
        names=tuple(str(10_000_000 + number) for number in range(PHOTOS)),
        paired=dict.fromkeys(COLUMNS, Paired.of(values)),
        distribution={},
        skipped={},
        warnings=(),
        weights={},
        libraries={"torch": "2"},
        revision=SETTINGS["revision"],
        silhouettes=listed,
        known={"mask": mask, "categories": ["upper"] * PHOTOS, "settings": SETTINGS, "command": "python -m x"},
    )


def measurement() -> Robustness:
    """All conditions; the largest dilation reaches its target on one photo, the next one on two."""
    conditions = [condition(CLEAN, None, 0.0)]
    for number, kind in enumerate(KINDS):
        for level in LEVELS:
            reached = {("dilation", 0.5): 1, ("dilation", 0.7): 2}.get((kind, level), PHOTOS)
            flags = tuple(photo < reached for photo in range(PHOTOS))
            conditions.append(condition(kind, level, (1 - level) * (1 + number) / 4, flags))
    return Robustness((*conditions, condition(NO_MASK, None, 0.4)))
