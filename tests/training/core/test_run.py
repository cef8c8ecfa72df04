"""What a run reports and rejects when it starts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from igr_core.files import make_folder
from tests.support.training.prepared import tiny_config
from training.base.train_config import TrainConfig
from training.core.run import train_run
from training.prepared.fits import check_apart


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


def test_settings_without_effect_are_reported_at_the_start(config: TrainConfig, tmp_path: Path) -> None:
    lines: list[str] = []
    short = replace(config, steps=1, optimizer=replace(config.optimizer, decay_steps=1))
    train_run(short, tmp_path / "run", None, False, lines.append)
    assert "note: optimizer.decay_steps has no effect with the schedule constant" in lines


def test_a_finished_run_says_so(config: TrainConfig, tmp_path: Path) -> None:
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
    with pytest.raises(IGRError, match="data.validation contains .*held_out, which is also in data.train"):
        train_run(replace(config, data=both), tmp_path / "run", None, False, lambda _: None)
    assert not (tmp_path / "run").exists()


def test_a_copy_of_the_training_pairs_is_refused_under_any_name(config: TrainConfig, tmp_path: Path) -> None:
    shutil.copytree(config.data.train[0], tmp_path / "copy")
    copied = replace(config.data, validation=str(tmp_path / "copy"))
    with pytest.raises(IGRError, match=r"data\.validation contains .+ in .*copy, which is also in .+ of data\.train"):
        check_apart(replace(config, data=copied))
    check_apart(config)
    (shard,) = (tmp_path / "copy").iterdir()
    tensors = {name: value.clone() for name, value in load_file(shard).items()}
    with safe_open(shard, "pt") as file:
        metadata = file.metadata()
    save_file(tensors | {"seed": tensors["seed"] + 500}, shard, metadata)
    with pytest.raises(
        IGRError, match=r"contains 500 in .*, which is also in .* of data\.train, under the name 0: prep"
    ):
        check_apart(replace(config, data=copied))


def test_held_out_pairs_among_the_rounds_are_refused(config: TrainConfig, tmp_path: Path) -> None:
    rounds = replace(
        config.data, train=(str(tmp_path / "pairs-{round}"),), round_steps=2, validation=str(tmp_path / "pairs-001")
    )
    with pytest.raises(IGRError, match="data.validation contains .*pairs-001, which is also in data.train"):
        check_apart(replace(config, data=rounds))
    check_apart(replace(config, data=replace(rounds, validation=str(tmp_path / "pairs-held"))))
