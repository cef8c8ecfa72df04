"""Full disks: each command reports it in one sentence, leaves no partial files and loses nothing."""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle
from igr_core.model.config import to_json
from tests.support.models.tiny import save_runnable
from tests.support.training.prepared import tiny_config
from tests.support.training.stopping import logged
from training.base.files import write_text
from training.base.provenance import note_start
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.bundles.export import export_run
from training.bundles.unpack import unpack_part
from training.core.run import train_run
from training.core.trainer import Trainer
from training.curation.judging import judge_all
from training.curation.scores import CurationConfig
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import DrawnPairs, draw_shards
from training.data.fixtures import write_fixture
from training.data.layouts.tars import write_tars
from training.data.opening import DataSetConfig, open_data_set
from training.prepared.prepare import prepare_folder

resource = pytest.importorskip("resource", reason="needs a system with file size limits")

DRAWN = DrawConfig((48, 64), (96, 128), crop_size=32)
ROOM = 2_000
"""Maximum size of a file in bytes: enough for tests and logs, too small for any of these results."""


@contextmanager
def full_disk(room: int = ROOM) -> Iterator[None]:
    """Context in which this process cannot write files of more than `room` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("full")
    write_fixture("viton_hd", place / "data", 2, 0, (96, 128))
    draw_shards(place / "drawn", 4, 0, DRAWN, workers=1)
    save_runnable(place / "tiny.safetensors")
    return place


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("parts"))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def draw(place: Path, config: TrainConfig, out: Path) -> None:
    draw_shards(out, 2, 0, DRAWN, workers=1)


def prepare(place: Path, config: TrainConfig, out: Path) -> None:
    vae, encoder = Path(config.data.vae), Path(config.data.image_encoder)
    prepare_folder(DrawnPairs(place / "drawn"), out, vae, encoder, "linear", 4, False, "cpu")


def pack(place: Path, config: TrainConfig, out: Path) -> None:
    write_tars(open_data_set(DataSetConfig(root=str(place / "data"))), out)


def unpack(place: Path, config: TrainConfig, out: Path) -> None:
    unpack_part(Bundle.open(place / "tiny.safetensors"), "vae", out)


@pytest.mark.parametrize("command", [draw, prepare, pack, unpack])
def test_no_partial_files_are_left(
    command: Callable[[Path, TrainConfig, Path], None], place: Path, config: TrainConfig, tmp_path: Path
) -> None:
    before = everything(place)
    with full_disk(), pytest.raises(IGRError, match=r"Could not write .*free some space"):
        command(place, config, tmp_path)
    assert everything(tmp_path) == {} and everything(place) == before
    command(place, config, tmp_path)  # once there is space, the same command succeeds
    assert everything(tmp_path)


def test_curation_resumes_after_it(place: Path, tmp_path: Path) -> None:
    data = DataSetConfig(root=str(place / "data"))
    source = open_data_set(data)
    with full_disk(room=200), pytest.raises(IGRError, match="free some space"):
        judge_all(data, source, CurationConfig(), tmp_path, 1)
    judged, problems = judge_all(data, source, CurationConfig(), tmp_path, 1)
    assert [one.name for one in judged] == [entry.name for entry in source.entries] and not problems


def test_training_keeps_its_last_checkpoint_and_resumes_from_it(config: TrainConfig, tmp_path: Path) -> None:
    whole = Trainer(config, RunFolder(tmp_path / "whole"))
    whole.run_steps(None)
    whole.run.close()
    broken = Trainer(config, RunFolder(tmp_path / "broken"))
    broken.config = replace(config, steps=2)
    broken.run_steps(None)
    broken.config = config
    with full_disk(), pytest.raises(IGRError, match="step-000000004.pt.*free some space"):
        broken.run_steps(None)
    broken.run.close()
    assert [path.name for path in broken.run.checkpoints.iterdir()] == ["step-000000002.pt"]
    again = Trainer(config, RunFolder(tmp_path / "broken"))
    again.run_steps(None)
    again.run.close()
    assert logged(again.run.path) == logged(whole.run.path)


def test_a_disk_without_room_for_a_checkpoint_is_reported_before_the_first_step(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(config, RunFolder(tmp_path / "size"))
    trainer.run_steps(None)
    trainer.run.close()
    size = max(path.stat().st_size for path in trainer.run.checkpoints.iterdir())
    assert trainer.checkpoint_bytes == pytest.approx(size, rel=0.15)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, trainer.checkpoint_bytes - 1))
    with pytest.raises(IGRError, match="A checkpoint needs about .* GB is free: free some space"):
        train_run(config, tmp_path / "run", None, False, lambda _: None)
    assert not (tmp_path / "run" / "metrics.csv").exists()
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, trainer.checkpoint_bytes + 1))
    assert train_run(config, tmp_path / "run", 1, False, lambda _: None) == (1, 0)


def test_export_keeps_the_earlier_bundle(config: TrainConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trainer = Trainer(config, RunFolder(run))
    note_start(run, 0, "python -m training train x.yaml --run run")
    write_text(run / "config.json", json.dumps(to_json(config)))
    trainer.run_steps(None)
    trainer.run.close()
    bundle = tmp_path / "bundle.safetensors"
    export_run(run, bundle, "tiny", "Apache-2.0", "fp32", "random latents")
    before = everything(tmp_path)
    with full_disk(), pytest.raises(IGRError, match="bundle.safetensors.*free some space"):
        export_run(run, bundle, "tiny again", "Apache-2.0", "fp32", "random latents")
    assert everything(tmp_path) == before
