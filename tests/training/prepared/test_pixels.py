"""Training on prepared pairs and on images gives the same results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from igr_core.errors import IGRError
from igr_core.model.config import to_json
from tests.support.training.prepared import tiny_config
from tests.training.prepared.test_prepare import command
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.core.trainer import Trainer
from training.prepared.latents import PreparedPairs
from training.prepared.training_set import open_training_set

PAIRS = {"data": {"layout": "synthetic", "synthetic": {"count": 6, "size": [96, 128]}}, "spoil_share": 0.5}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    config = tiny_config(tmp_path_factory.mktemp("parts"))
    return replace(config, steps=4, checkpoint_every=4)


def written(folder: Path, config: TrainConfig, pairs: object = PAIRS) -> tuple[Path, Path]:
    (folder / "pairs.yaml").write_text(yaml.safe_dump(pairs))
    (folder / "config.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    return folder / "pairs.yaml", folder / "config.yaml"


def losses(config: TrainConfig, folder: Path) -> list[str]:
    trainer = Trainer(config, RunFolder(folder))
    trainer.run_steps(None)
    trainer.run.close()
    lines = (folder / "metrics.csv").read_text().splitlines()
    return [line for line in lines if ",loss," in line]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_losses_are_the_same(config: TrainConfig, tmp_path: Path, workers: int) -> None:
    pairs, file = written(tmp_path, config)
    status, said = command(file, "--data", pairs, "--out", tmp_path / "latents")
    assert status == 0 and "6 pairs take about" in said, said
    cached = replace(config, data=replace(config.data, train=(str(tmp_path / "latents"),)))
    pixels = replace(config, data=replace(config.data, train=(str(pairs),), workers=workers))
    found = [losses(one, tmp_path / name) for one, name in ((cached, "a"), (pixels, "b"))]
    assert len(found[0]) == 4
    numbers = [[float(line.rsplit(",", 1)[1]) for line in lines] for lines in found]
    assert numbers[0] == pytest.approx(numbers[1], abs=2e-3)


def test_a_set_of_images_and_a_prepared_one_mix(config: TrainConfig, tmp_path: Path) -> None:
    pairs, _ = written(tmp_path, config)
    data = replace(config.data, train=(*config.data.train, str(pairs)), weights=(1.0, 3.0))
    opened = open_training_set(replace(config, data=data))
    assert opened.sizes == (16, 6)
    trainer = Trainer(replace(config, data=data), RunFolder(tmp_path / "run"))
    trainer.run_steps(None)
    trainer.run.close()
    assert load_latest(RunFolder(tmp_path / "run"), resume=False) is not None


def test_a_test_split_is_not_trained_on(config: TrainConfig, tmp_path: Path) -> None:
    pairs, _ = written(tmp_path, config, {**PAIRS, "data": {**PAIRS["data"], "split": "test"}})  # type: ignore[dict-item]
    with pytest.raises(IGRError, match="pairs of a test split"):
        open_training_set(replace(config, data=replace(config.data, train=(str(pairs),))))


def test_names_are_kept_with_the_shards(config: TrainConfig, tmp_path: Path) -> None:
    from safetensors import safe_open

    pairs, file = written(tmp_path, config)
    assert command(file, "--data", pairs, "--out", tmp_path / "l")[0] == 0
    (shard,) = (tmp_path / "l").glob("*.safetensors")
    with safe_open(shard, framework="pt") as handle:
        assert json.loads(handle.metadata()["names"]) == [f"seed-{seed:09d}" for seed in range(6)]
    assert PreparedPairs([tmp_path / "l"]).seeds() == list(range(6))


def test_a_full_disk_is_reported_before_the_work(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, file = written(tmp_path, config)
    monkeypatch.setattr("training.prepared.prepare.shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    status, said = command(file, "--data", pairs, "--out", tmp_path / "l")
    assert status == 1 and "free some space" in said
    assert not list((tmp_path / "l").glob("latents*"))
