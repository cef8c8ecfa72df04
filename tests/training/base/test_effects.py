"""Settings that have no effect are named, and the shipped configs have none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from igr_core.errors import IGRError
from tests.support.training.prepared import tiny_config
from training.base.config_files import load_config
from training.base.effects import without_effect
from training.base.train_config import LowResolutionConfig, OptimizerConfig, TrainConfig

CONFIGS = Path(__file__).parents[3] / "training" / "configs"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


NOTED: dict[str, tuple[dict[str, Any], str]] = {
    "low resolution to the end": (
        {"low_resolution": LowResolutionConfig(train=("a",), size=(48, 64), steps=6)},
        r"low_resolution.steps \(6\) leaves none of the 6 steps for the model's own size",
    ),
    "long warm-up": ({"optimizer": OptimizerConfig(warmup_steps=7)}, r"warmup_steps \(7\) does not end within the 6"),
    "decay of another schedule": ({"optimizer": OptimizerConfig(decay_steps=2)}, "with the schedule constant"),
    "no decay": ({"optimizer": OptimizerConfig(schedule="decay")}, "while optimizer.decay_steps is 0"),
    "rate of another optimiser": ({"optimizer": OptimizerConfig(muon_learning_rate=1.0)}, "with the optimiser adamw"),
}


@pytest.mark.parametrize("case", NOTED)
def test_settings_without_effect_are_named(config: TrainConfig, case: str) -> None:
    changes, words = NOTED[case]
    (note,) = without_effect(replace(config, **changes))
    assert re.search(words, note)


def test_shipped_configs_have_none() -> None:
    checked = 0
    for path in CONFIGS.rglob("*.yaml"):
        try:
            config = load_config(TrainConfig, path)
        except IGRError:  # another kind of config
            continue
        assert not list(without_effect(config)), path
        checked += 1
    assert checked > 20
