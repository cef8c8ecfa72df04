"""Results without images: the score of pair i is an offset plus i hundredths in every paired metric."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from training.evaluation.images.folders import ImageList
from training.evaluation.metrics.protocols import protocol_named
from training.evaluation.metrics.registry import SCORED
from training.evaluation.result import Paired, Result

PAIRS = 5
OF_SETS = ("fid", "clip_fid", "kid", "encoder_fd")
"""Metrics that compare two sets, not pairs."""


def result(name: str, offset: float, **known: Any) -> Result:
    """A bundle's result at guidance 1.5 and 25 steps under protocol native, inside given silhouettes."""
    listed = ImageList("truth", "same", PAIRS, {"png": PAIRS}, {"48x64": PAIRS})
    scores = Paired.of([offset + index / 100 for index in range(PAIRS)])
    return Result(
        name=name,
        kind="bundle",
        protocol=asdict(protocol_named("native")),
        generated=listed,
        reference=listed,
        names=tuple(f"seed-{10_000_000 + index:09d}" for index in range(PAIRS)),
        paired={metric: scores for metric in SCORED if metric not in OF_SETS},
        distribution={},
        skipped={},
        warnings=(),
        weights={},
        libraries={},
        revision="0" * 40,
        silhouettes=listed,
        known={"row": name, "guidance": 1.5, "steps": 25, "weights_sha256": "a" * 64, **known},
    )
