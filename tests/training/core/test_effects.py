"""Settings that have no effect are reported when a run starts, and those that have one are not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from igr_core.errors import IGRError
from igr_core.files import make_folder
from tests.support.training.prepared import tiny_config
from training.base.config_files import load_config
from training.base.train_config import LowResolutionConfig, OptimizerConfig, TrainConfig
from training.core.effects import without_effect
from training.core.run import train_run

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
    for path in CONFIGS.rglob("*.yaml"):
        try:
            config = load_config(TrainConfig, path)
        except IGRError:  # another kind of config
            continue
        assert not list(without_effect(config)), path


def test_the_start_of_a_run_reports_them(config: TrainConfig, tmp_path: Path) -> None:
    lines: list[str] = []
    short = replace(config, steps=1, optimizer=replace(config.optimizer, decay_steps=1))
    train_run(short, tmp_path / "run", None, False, lines.append)
    assert "note: optimizer.decay_steps has no effect with the schedule constant" in lines


def test_a_run_that_has_taken_its_steps_says_so(config: TrainConfig, tmp_path: Path) -> None:
    lines: list[str] = []
    train_run(replace(config, steps=3), tmp_path / "run", None, False, lines.append)
    assert not any("nothing to do" in line for line in lines)
    for steps, until in ((3, None), (6, 2)):
        train_run(replace(config, steps=steps), tmp_path / "run", until, False, lines.append)
        assert lines.pop() == "nothing to do: the run has already taken 3 steps"
    before = (tmp_path / "run" / "config.json").read_text()
    with pytest.raises(IGRError, match="has already taken 3 steps, more than steps = 2: raise steps, or choose"):
        train_run(replace(config, steps=2), tmp_path / "run", None, False, lines.append)
    assert (tmp_path / "run" / "config.json").read_text() == before


def test_held_out_pairs_that_are_trained_on_are_refused(config: TrainConfig, tmp_path: Path) -> None:
    make_folder(tmp_path / "links")
    (tmp_path / "links" / "held_out").symlink_to(config.data.train[0])
    both = replace(config.data, validation={"a": config.data.held_out[""], "b": str(tmp_path / "links" / "held_out")})
    with pytest.raises(IGRError, match="data.validation has .*held_out, which data.train has too"):
        train_run(replace(config, data=both), tmp_path / "run", None, False, lambda _: None)
    assert not (tmp_path / "run").exists()
