"""Compute from a bundle's provenance how long it was trained over all stages."""

from __future__ import annotations

from typing import Any


def steps_trained(training: dict[str, Any]) -> int | None:
    """Total number of optimiser steps of a bundle and the bundles that it started from; None if any of them does not
    record its steps."""
    stages = _stages(training)
    return sum(stage["steps"] for stage in stages) if stages else None


def pairs_seen(training: dict[str, Any]) -> int | None:
    """Number of training pairs read in all stages, including repeats; None if a stage does not record it."""
    stages = _stages(training)
    if not stages or not all(isinstance(stage.get("config"), dict) for stage in stages):
        return None
    return sum(stage["steps"] * _pairs_per_step(stage["config"]) for stage in stages)


def _stages(training: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The training entries of a bundle and the bundles that it started from; empty if any of them does not record its
    steps."""
    stages = []
    while training is not None:
        if not isinstance(training.get("steps"), int):
            return []
        stages.append(training)
        training = training.get("parent", {}).get("training")
    return stages


def _pairs_per_step(config: dict[str, Any]) -> int:
    return int(config.get("accumulation", 1)) * int(config["data"]["pairs_per_batch"])
