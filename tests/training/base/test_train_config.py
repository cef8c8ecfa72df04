"""Every number in a training config has a range; an entry outside its range is named before anything is built."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from igr_core.errors import IGRError
from training.base.config_files import load_config
from training.base.train_config import (
    DataConfig,
    DropConfig,
    ExtraLossConfig,
    LoraConfig,
    LowResolutionConfig,
    OptimizerConfig,
    TrainConfig,
)

SMALL = Path(__file__).parents[3] / "training" / "configs" / "small" / "from_scratch" / "model.yaml"
PARTS = {
    "data": DataConfig,
    "drop": DropConfig,
    "optimizer": OptimizerConfig,
    "extra_losses": ExtraLossConfig,
    "lora": LoraConfig,
    "low_resolution": LowResolutionConfig,
    "": TrainConfig,
}
NEEDED = {"low_resolution": "train: [a], size: [96, 128], steps: 5", "lora": ""}


def numbers() -> Iterator[tuple[str, type]]:
    """Every entry that is a number, by its dotted name."""
    for part, kind in PARTS.items():
        hints = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):
            kinds = {hints[field.name], *typing.get_args(hints[field.name])}
            for number in (int, float):
                if number in kinds:
                    yield f"{part}.{field.name}".lstrip("."), number
                    break


def load(name: str, value: object) -> TrainConfig:
    part = name.partition(".")[0]
    first = [f"{part}={{{NEEDED[part]}}}"] if part in NEEDED else []
    return load_config(TrainConfig, SMALL, [*first, f"{name}={value}"])


@pytest.mark.parametrize(("name", "kind"), list(numbers()), ids=lambda found: found if isinstance(found, str) else "")
def test_numbers_outside_their_range_are_named(name: str, kind: type) -> None:
    wrong: list[Any] = [-1, -(10**30)] if kind is int else [-1, ".nan", ".inf", "-.inf"]
    for value in wrong:
        with pytest.raises(IGRError, match=name.rpartition(".")[2]):
            load(name, value)


@pytest.mark.parametrize(
    "entry",
    [
        *("steps=0", "accumulation=0", "log_every=0", "checkpoint_every=0", "data.pairs_per_batch=0", "data.workers=0"),
        *("ema_decay=1", "ema_decay=2", "seed=18446744073709551616", "grid_steps=2000", "optimizer.betas=[0.9, 1.0]"),
        *("data.photos=[.nan]", "data.photos=[1.5, -0.5]", "data.weights=[0]", "optimizer.learning_rate=0"),
    ],
)
def test_values_at_the_edge_are_refused(entry: str) -> None:
    name, _, value = entry.partition("=")
    with pytest.raises(IGRError, match=name.rpartition(".")[2]):
        load(name, value)


def test_the_edge_itself_is_allowed() -> None:
    config = load_config(TrainConfig, SMALL, ["ema_decay=0", "validate_every=0", "seed=0", "steps=1"])
    assert (config.ema_decay, config.validate_every, config.steps) == (0, 0, 1)
    assert math.isclose(load("optimizer.learning_rate", "1e-12").optimizer.learning_rate, 1e-12)
