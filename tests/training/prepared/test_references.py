"""Several photos of one garment: choosing them, reading them, and correct steps with them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from tests.support.training.prepared import tiny_config
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.base.train_config import DataConfig, DropConfig, TrainConfig
from training.core.loss.objective import draw_rows, predict
from training.core.trainer import Trainer
from training.prepared.latents import PreparedPairs
from training.prepared.references import Photos, joined

GARMENTS = ["a", None, "b", "a", "a", None, "b", "c"]


def give_garments(folder: Path, garments: list[str | None]) -> None:
    """Store the names of the pairs' garments in a shard."""
    (shard,) = folder.iterdir()
    with_names = {"settings": json.dumps(PreparedPairs([folder]).settings[0]), "garments": json.dumps(garments)}
    tensors = {name: value.clone() for name, value in load_file(shard).items()}
    save_file(tensors, shard, metadata=with_names)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    config = tiny_config(tmp_path)
    give_garments(Path(config.data.train[0]), [f"garment {number // 3}" for number in range(16)])
    return config


def test_only_pairs_of_one_garment_are_shown_together() -> None:
    photos = Photos(GARMENTS)
    assert [photos.others(pair) for pair in (0, 1, 2, 7)] == [[3, 4], [], [6], []]
    for one in photos.draw(list(range(8)), (0.0, 0.0, 1.0), 0, 0):
        assert len(set(one)) == len(one) and len({GARMENTS[pair] for pair in one}) == 1
    assert [len(one) for one in photos.draw(list(range(8)), (0.0, 0.0, 1.0), 0, 0)] == [3, 1, 2, 3, 3, 1, 2, 1]


def test_photos_are_drawn_by_their_probabilities_and_by_the_step_alone() -> None:
    photos = Photos(["same"] * 50)
    drawn = [one for step in range(40) for one in photos.draw(list(range(50)), (0.5, 0.3, 0.2), 1, step)]
    shares = Counter(len(one) for one in drawn)
    assert [shares[count] / len(drawn) for count in (1, 2, 3)] == pytest.approx([0.5, 0.3, 0.2], abs=0.04)
    assert photos.draw([3, 4], (0.5, 0.5), 1, 7) == photos.draw([3, 4], (0.5, 0.5), 1, 7)
    assert photos.draw([3, 4], (1.0,), 1, 7) == [(3,), (4,)]


def test_probabilities_that_are_invalid_are_refused() -> None:
    with pytest.raises(IGRError, match=r"sum to 1; they sum to 0\.8"):
        DataConfig(train=("pairs",), validation="", vae="", image_encoder="", photos=(0.5, 0.3))


def test_a_batch_starts_with_its_pairs_and_contains_every_photo(config: TrainConfig) -> None:
    pairs = PreparedPairs([config.data.train[0]])
    wanted, places = joined([(4, 3), (9,), (1, 0, 2)])
    assert wanted == [4, 9, 1, 3, 0, 2] and places == [(0, 3), (1,), (2, 4, 5)]
    batch = pairs.batch(wanted).seen_in(places)
    assert batch.garment_latent.shape[0] == batch.image_features.shape[0] == len(batch.categories) == 3
    assert torch.equal(batch.person_latent, pairs.batch(wanted).person_latent)
    assert [batch.photo_categories[n] for n in (0, 3)] == [batch.categories[0]] * 2
    assert [batch.photo_categories[n] for n in (2, 4, 5)] == [batch.categories[2]] * 3


def test_rows_refer_to_the_photos_of_their_pair(config: TrainConfig, tmp_path: Path) -> None:
    trainer = Trainer(config, RunFolder(tmp_path / "run"))
    wanted, places = joined([(4, 3), (9,)])
    batch = trainer.batches.first.finish(trainer.batches.first.read(wanted)).seen_in(places)
    rows = draw_rows(batch, trainer.scheduler, DropConfig(0, 0, 0), torch.Generator().manual_seed(0), draws=2)
    assert rows.reference_rows == [(0, 2), (0, 2), 1, 1] and rows.image_rows == [0, 0, 1, 1]
    dropped = draw_rows(batch, trainer.scheduler, DropConfig(1, 0, 0), torch.Generator().manual_seed(0))
    assert dropped.reference_rows == [-1, -1]


def test_one_photo_each_is_the_same_bit_for_bit(config: TrainConfig, tmp_path: Path) -> None:
    trainer = Trainer(config, RunFolder(tmp_path / "run"))
    batch = trainer.batches.first.finish(trainer.batches.first.read([4, 9]))
    rows = draw_rows(batch, trainer.scheduler, DropConfig(), torch.Generator().manual_seed(0))
    other = batch.seen_in([(0,), (1,)])
    assert other.photos is None
    again = draw_rows(other, trainer.scheduler, DropConfig(), torch.Generator().manual_seed(0))
    assert torch.equal(predict(trainer.bare, rows, batch), predict(trainer.bare, again, other))


def test_a_run_with_several_photos_learns_and_resumes_exactly(config: TrainConfig, tmp_path: Path) -> None:
    several = replace(config, steps=4, data=replace(config.data, photos=(0.2, 0.4, 0.4)))
    whole = Trainer(several, RunFolder(tmp_path / "whole"))
    whole.run_steps(None)
    first = Trainer(several, RunFolder(tmp_path / "half"))
    first.config = replace(several, steps=2)
    first.run_steps(None)
    second = Trainer(several, RunFolder(tmp_path / "half"))
    second.run_steps(None)
    for name, value in whole.bare.state_dict().items():
        assert torch.equal(value, second.bare.state_dict()[name]), name
    plain = Trainer(replace(config, steps=4), RunFolder(tmp_path / "plain"))
    plain.run_steps(None)
    assert not torch.equal(plain.bare.denoiser.conv_in.weight, whole.bare.denoiser.conv_in.weight)


def test_accumulation_divides_a_step_with_several_photos(config: TrainConfig, tmp_path: Path) -> None:
    """The photos are drawn for the whole step, however it is divided."""
    data = replace(config.data, pairs_per_batch=4, photos=(0.3, 0.7))
    whole = replace(config, steps=1, data=data)
    halves = replace(whole, accumulation=2, data=replace(data, pairs_per_batch=2))
    states = []
    for name, one in (("whole", whole), ("halves", halves)):
        trainer = Trainer(one, RunFolder(tmp_path / name))
        trainer.run_steps(None)
        found = load_latest(RunFolder(tmp_path / name), resume=False)
        assert found is not None
        states.append(found.state["model"])
    off = torch.cat([(states[0][name] - states[1][name]).abs().flatten() for name in states[0]])
    assert float(off.mean()) < 1e-5
