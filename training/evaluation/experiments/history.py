"""How much a bundle was trained, in all stages, by what its provenance says."""

from __future__ import annotations

from typing import Any


def steps_trained(training: dict[str, Any]) -> int | None:
    """Optimiser steps of a bundle, those of the bundles it started from included; None where one does not say."""
    stages = _stages(training)
    return sum(stage["steps"] for stage in stages) if stages else None


def pairs_seen(training: dict[str, Any]) -> int | None:
    """Training pairs that one process read, in all stages, repeats counted; None where a stage does not say."""
    stages = _stages(training)
    if not stages or not all(isinstance(stage.get("config"), dict) for stage in stages):
        return None
    return sum(stage["steps"] * _pairs_per_step(stage["config"]) for stage in stages)


def _stages(training: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The training entries of a bundle and of those it started from; empty where one does not say its steps."""
    stages = []
    while training is not None:
        if not isinstance(training.get("steps"), int):
            return []
        stages.append(training)
        training = training.get("parent", {}).get("training")
    return stages


def _pairs_per_step(config: dict[str, Any]) -> int:
    return int(config.get("accumulation", 1)) * int(config["data"]["pairs_per_batch"])
