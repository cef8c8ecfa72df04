"""The correspondence loss is lowest if attention is at the true positions, over visible cells, for any number of
photos.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from igr_core.model.garmfus import Noted
from igr_core.model.igr import IGR
from tests.support.models.tiny import MODEL
from tests.support.training.prepared import tell_places, tiny_config
from tests.support.training.steps import first_loss
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.core.loss.correspondence import CorrespondenceLoss, Measured, _sampled, places_logged
from training.core.trainer import Trainer
from training.core.validation import Validator
from training.prepared.latents import Batch, PreparedPairs

BLOCK = "down_blocks.0.attentions.0"
HEADS = (f"{BLOCK}:1", "up_blocks.0.attentions.1:0")
SHAPE = (8, 6)
CELLS = 48


@pytest.fixture(scope="module")
def loss() -> CorrespondenceLoss:
    return CorrespondenceLoss((f"{BLOCK}:1",), IGR(MODEL))


def straight() -> torch.Tensor:
    """The map (2, h, w) of a photo in which every cell is at its position in the garment."""
    y, x = torch.meshgrid((torch.arange(8) + 0.5) / 8, (torch.arange(6) + 0.5) / 6, indexing="ij")
    return torch.stack([x, y])


def batch(correspondence: torch.Tensor | None) -> Batch:
    pairs = 1 if correspondence is None else len(correspondence)
    latent = torch.zeros(pairs, 4, *SHAPE)
    return Batch(latent, latent, latent[:, :1], torch.zeros(pairs, 16), ["upper"] * pairs, correspondence)


def looking_at(cells: torch.Tensor, photos: int = 1, sharp: float = 60.0, row: int = 0) -> Noted:
    """One row whose second head attends to reference cell `cells[n]` from its cell n; the first head to nothing."""
    width = CELLS * photos
    query, key = torch.zeros(1, CELLS, 2 * width), torch.zeros(1, width, 2 * width)
    query[0, torch.arange(CELLS), width + cells] = sharp * width**0.5
    key[0, torch.arange(width), width + torch.arange(width)] = 1.0
    return Noted([row], query, key, torch.zeros_like(query), 2)


def measured(loss: CorrespondenceLoss, noted: Noted, correspondence: torch.Tensor, draws: int = 1) -> Measured:
    return loss({BLOCK: [noted]}, batch(correspondence), draws)


def test_attention_at_the_true_positions_has_no_loss_and_every_hit(loss: CorrespondenceLoss) -> None:
    right = measured(loss, looking_at(torch.arange(CELLS)), straight()[None, None])
    assert float(right.loss) < 1e-4 and float(right.hits) == float(right.cells) == CELLS
    wrong = measured(loss, looking_at(torch.arange(CELLS).roll(1)), straight()[None, None])
    assert float(wrong.loss) > 10 and float(wrong.hits) == 0
    even = measured(loss, looking_at(torch.arange(CELLS), sharp=0.0), straight()[None, None])
    assert float(even.loss) == pytest.approx(torch.tensor(float(CELLS)).log().item(), abs=1e-4)


def test_cells_that_the_photo_does_not_show_do_not_count(loss: CorrespondenceLoss) -> None:
    told = straight()
    told[:, 4:] = torch.nan
    looks = torch.arange(CELLS)
    looks[24:] = 0  # wrong, but their true positions are unknown
    found = measured(loss, looking_at(looks), told[None, None])
    assert float(found.loss) < 1e-4 and float(found.hits) == float(found.cells) == 24
    nothing = measured(loss, looking_at(looks), torch.full((1, 1, 2, 8, 6), torch.nan))
    assert (float(nothing.loss), float(nothing.cells)) == (0, 0)
    assert float(loss({BLOCK: []}, batch(straight()[None, None]), 1).loss) == 0
    assert float(loss({BLOCK: []}, batch(None), 1).loss) == 0


def test_a_cell_may_be_found_in_any_photo_that_shows_it(loss: CorrespondenceLoss) -> None:
    """The left half is only visible in the first photo, the right half in both, mirrored in the second."""
    one, two = straight(), straight().flip(2)
    two[:, :, :3] = torch.nan
    told = torch.stack([one, two])[None]
    mirrored = torch.arange(CELLS).view(8, 6).flip(1).flatten() + CELLS
    in_second = torch.where((torch.arange(CELLS) % 6) >= 3, mirrored, torch.arange(CELLS))
    for looks in (torch.arange(CELLS), in_second):
        found = measured(loss, looking_at(looks, photos=2), told)
        assert float(found.loss) < 1e-4 and float(found.hits) == CELLS
    hidden = measured(loss, looking_at(mirrored, photos=2), told)
    assert float(hidden.loss) > 10 and float(hidden.hits) == CELLS / 2


def test_rows_belong_to_their_pairs(loss: CorrespondenceLoss) -> None:
    told = torch.stack([torch.full((2, 8, 6), torch.nan), straight()])[:, None]
    assert float(measured(loss, looking_at(torch.arange(CELLS), row=1), told, draws=2).cells) == 0
    assert float(measured(loss, looking_at(torch.arange(CELLS), row=2), told, draws=2).hits) == CELLS


def test_gradients_are_finite_where_nothing_is_visible(loss: CorrespondenceLoss) -> None:
    told = straight()[None, None]
    told[..., 2:] = torch.nan
    noted = looking_at(torch.arange(CELLS), sharp=0.1)
    query = noted.query.requires_grad_()
    measured(loss, noted._replace(query=query), told).loss.backward()
    assert query.grad is not None and query.grad.isfinite().all()
    visible = (torch.arange(CELLS) % 6) < 2
    assert query.grad[0, visible].abs().sum() > 0 and query.grad[0, ~visible].abs().sum() == 0


@pytest.mark.parametrize("head", ["nowhere:0", f"{BLOCK}:2", BLOCK, f"{BLOCK}:-1"])
def test_a_head_that_does_not_exist_is_named(head: str) -> None:
    with pytest.raises(IGRError, match=rf"has '{head}', but this model has {BLOCK}:0 to 1"):
        CorrespondenceLoss((head,), IGR(MODEL))


def test_several_batches_are_logged_together() -> None:
    assert places_logged([[2.0, 1.0, 4.0], [4.0, 3.0, 4.0], [0.0, 0.0, 0.0]], "c") == {
        "c/loss": 3.0,
        "c/within_5_percent": 0.5,
    }
    assert places_logged([[0.0, 0.0, 0.0]], "c") == {}


def add_correspondence(folder: Path) -> None:
    """Add a correspondence to a shard: a photo that is the mirror image of the garment."""
    (shard,) = folder.iterdir()
    settings = PreparedPairs([folder]).settings[0]
    tensors = {name: value.clone() for name, value in load_file(shard).items()}
    count = len(tensors["seed"])
    tensors["correspondence"] = straight().flip(2).half().expand(count, -1, -1, -1).contiguous()

    save_file(tensors, shard, metadata={"settings": json.dumps(settings)})


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    config = tiny_config(tmp_path_factory.mktemp("data"))
    for folder in (config.data.train[0], config.data.validation):
        add_correspondence(Path(folder))
    return replace(config, correspondence_weight=0.5, correspondence_heads=HEADS)


def test_heads_learn_the_positions(config: TrainConfig, tmp_path: Path) -> None:
    """Training lowers the loss below chance and logs it, and the heads find the mirror image; validation agrees."""
    rate = replace(config.optimizer, learning_rate=3e-3)
    long = replace(config, steps=60, optimizer=rate, log_every=10, validate_every=60, grid_pairs=1, grid_steps=1)
    trainer = Trainer(long, RunFolder(tmp_path))
    trainer.run_steps(Validator(long, tmp_path))
    lines = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]]
    values = {name: [float(value) for _, one, value in lines if one == name] for name in {line[1] for line in lines}}
    assert values["correspondence/loss"][-1] < 0.7 * values["correspondence/loss"][0]
    assert values["correspondence/within_5_percent"][-1] > 2 * values["correspondence/within_5_percent"][0]
    assert values["validation/correspondence/within_5_percent"][0] > 0.1
    assert values["first_step/correspondence/loss"][0] > 0


def test_resuming_with_this_loss_is_exact(config: TrainConfig, tmp_path: Path) -> None:
    logged = replace(config, steps=5, log_every=3)
    whole = Trainer(logged, RunFolder(tmp_path / "whole"))
    whole.run_steps(None)
    first = Trainer(logged, RunFolder(tmp_path / "half"))
    first.config = replace(logged, steps=2)
    first.run_steps(None)
    second = Trainer(logged, RunFolder(tmp_path / "half"))
    second.run_steps(None)
    for name, value in whole.bare.state_dict().items():
        assert torch.equal(value, second.bare.state_dict()[name]), name
    for trainer in (whole, first, second):
        trainer.run.close()
    logs = []
    for name in ("whole", "half"):
        lines = (tmp_path / name / "metrics.csv").read_text().splitlines()
        logs.append([line for line in lines if "speed/" not in line])
    assert logs[0] == logs[1] and any("correspondence/loss" in line for line in logs[0])


def test_gradient_checkpointing_does_not_change_this_loss(config: TrainConfig, tmp_path: Path) -> None:
    gradients = []
    for setting in (False, True):
        trainer = Trainer(replace(config, gradient_checkpointing=setting), RunFolder(tmp_path / str(setting)))
        trainer.engine.model.train()
        first_loss(trainer).backward()
        gradients.append({name: p.grad for name, p in trainer.bare.named_parameters() if p.grad is not None})
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-5) for name in gradients[0])


@pytest.mark.parametrize("pairs", [2, 1])
def test_a_step_is_the_same_however_it_is_divided(config: TrainConfig, tmp_path: Path, pairs: int) -> None:
    """Pairs are weighted by their number of visible cells, whether a step has one batch or several."""
    folder = Path(shutil.copytree(config.data.train[0], tmp_path / "data"))
    tell_places(folder)
    data = replace(config.data, train=(str(folder),), pairs_per_batch=4)
    whole = replace(config, data=data, steps=2, correspondence_weight=5.0)
    divided = replace(whole, data=replace(data, pairs_per_batch=pairs), accumulation=4 // pairs)
    one, other = (trained(each, tmp_path / str(number)) for number, each in enumerate((whole, divided)))
    assert logged_of(tmp_path / "0") == pytest.approx(logged_of(tmp_path / "1"), rel=1e-4, abs=1e-5)
    off = torch.cat([(value - other[name]).abs().flatten() for name, value in one.items()])
    assert float(off.mean()) < 1e-6


def trained(config: TrainConfig, folder: Path) -> dict[str, torch.Tensor]:
    trainer = Trainer(config, RunFolder(folder))
    trainer.run_steps(None)
    trainer.run.close()
    return trainer.bare.state_dict()


def logged_of(folder: Path) -> dict[str, float]:
    lines = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
    return {f"{step} {name}": float(value) for step, name, value in lines if not name.startswith("speed/")}


def test_equation_1_is_logged_separately_from_added_losses(config: TrainConfig, tmp_path: Path) -> None:
    trained(replace(config, steps=1), tmp_path / "with")
    trained(replace(config, steps=1, correspondence_weight=0.0), tmp_path / "without")
    both, plain = logged_of(tmp_path / "with"), logged_of(tmp_path / "without")
    assert both["1 loss"] == pytest.approx(plain["1 loss"]) and "1 total_loss" not in plain
    assert both["1 total_loss"] == pytest.approx(both["1 loss"] + 0.5 * both["1 correspondence/loss"])


def test_cells_of_all_rows_are_counted_before_they_are_computed(config: TrainConfig) -> None:
    """For heads of both levels, rows without a reference left out."""
    model = IGR(MODEL)
    loss = CorrespondenceLoss(HEADS, model)
    told = straight()[None, None].repeat(2, 1, 1, 1, 1)
    told[1, ..., 2:] = torch.nan
    told[1, ..., :4, :] = torch.nan
    pairs = replace(batch(told), person_latent=torch.zeros(2, 4, *SHAPE))
    references = [0, -1, 1, (1, 0)]
    assert loss.visible(references, pairs, 2).tolist() == [CELLS + 2 * 8, 12 + 2 * 2]
    coarse = CorrespondenceLoss((f"{BLOCK.replace('0', '1', 1)}:0",), model)
    assert coarse.visible(references, pairs, 2).tolist() == [12 + 2 * 2]
    one = CorrespondenceLoss((f"{BLOCK}:1",), model)
    noted = looking_at(torch.arange(CELLS).roll(1), row=2)
    counted = one({BLOCK: [noted]}, pairs, 2, one.visible([-1, -1, 1, -1], pairs, 2))
    assert torch.equal(counted.loss, one({BLOCK: [noted]}, pairs, 2).loss) and float(counted.cells) == 8


def test_a_coarse_cell_is_at_the_middle_of_its_visible_fine_cells() -> None:
    found = _sampled(straight(), 4, 3)
    assert torch.allclose(found[0, 0], (torch.arange(3) + 0.5) / 3) and torch.allclose(
        found[1, :, 0], (torch.arange(4) + 0.5) / 4
    )
    told = straight()
    told[:, 0, 1] = told[:, 1, 0] = told[:, 1, 1] = told[:, 2:4, 2:4] = torch.nan
    found = _sampled(told, 4, 3)
    assert torch.allclose(found[:, 0, 0], straight()[:, 0, 0]) and found[:, 1, 1].isnan().all()
    assert torch.equal(_sampled(told, 8, 6).nan_to_num(), told.nan_to_num())


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"correspondence_heads": ()}, "correspondence_heads is empty"), ({"garmnet": None}, "needs GarmNet")],
)
def test_a_loss_without_heads_is_refused(
    config: TrainConfig, tmp_path: Path, changes: dict[str, None], words: str
) -> None:
    if "garmnet" in changes:
        changes = {"model": replace(config.model, garmnet=None)}  # type: ignore[dict-item]
    with pytest.raises(IGRError, match=words):
        Trainer(replace(config, **changes), RunFolder(tmp_path))  # type: ignore[arg-type]


def test_data_without_correspondence_is_refused(tmp_path: Path) -> None:
    plain = replace(tiny_config(tmp_path), correspondence_weight=0.05, correspondence_heads=HEADS)
    with pytest.raises(IGRError, match="no pair of data.train has a correspondence"):
        Trainer(plain, RunFolder(tmp_path / "run"))
