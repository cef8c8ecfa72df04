"""The segmenter's training at tiny size: resuming, losses, and the resulting folder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Sam2Model, Sam2Processor
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.segmentation.segmenter import Segmenter
from tests.support.training.stopping import logged, stopped_at_call
from training.cli.app import app
from training.small_models.held_out import held_out_photos
from training.small_models.photos import normalise, open_photos
from training.small_models.segmenter import training as train_segmenter
from training.small_models.segmenter.model import Learner, SegmenterShape, build_segmenter, embed
from training.small_models.segmenter.prompts import ASKED
from training.small_models.segmenter.scores import scores_of
from training.small_models.segmenter.training import (
    KINDS,
    Corpus,
    SegmenterTraining,
    ask,
    mask_losses,
    segmenter_loss,
    train,
)

SHAPE = SegmenterShape(
    image_size=64,
    widths=(8, 12, 16, 24),
    blocks=(1, 1, 2, 1),
    heads=(1, 1, 2, 2),
    windows=(4, 4, 2, 2),
    global_blocks=(3,),
    decoder_width=16,
    decoder_heads=2,
    decoder_mlp=16,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SegmenterTraining:
    """A run of four steps on four photos."""
    folder = tmp_path_factory.mktemp("photos")
    return SegmenterTraining(
        data=str(folder / "train"),
        held_out=str(folder / "held_out"),
        photos=4,
        photo_size=(48, 64),
        segmenter=SHAPE,
        steps=4,
        batch=3,
        warmup=1,
        validation_pairs=2,
        log_every=1,
        save_every=2,
        validate_every=3,
    )


@pytest.fixture(scope="module")
def trained(tiny: SegmenterTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny run's model."""
    return train(replace(tiny, run=str(tmp_path_factory.mktemp("run"))))


def test_training_starts_from_a_finished_model(tiny: SegmenterTraining, trained: Path, tmp_path: Path) -> None:
    further = replace(tiny, run=str(tmp_path / "run"), init=str(trained), steps=1, warmup=0, learning_rate=1e-7)
    folder = train(further)
    before, after = (load_file(one / "model.safetensors") for one in (trained, folder))
    assert all(torch.allclose(after[name].float(), weight.float(), atol=2e-3) for name, weight in before.items())
    summary = json.loads((folder / "segmenter.json").read_text())
    assert summary["started_from"] == json.loads((trained / "segmenter.json").read_text())
    with pytest.raises(IGRError, match="init: .*none cannot be loaded"):
        train(replace(further, run=str(tmp_path / "a"), init=str(tmp_path / "none")))
    with pytest.raises(IGRError, match="differs in shape from this config's model"):
        train(replace(further, run=str(tmp_path / "b"), segmenter=replace(SHAPE, decoder_mlp=8)))


def test_a_model_to_start_from_is_checked_and_kept(tiny: SegmenterTraining, trained: Path, tmp_path: Path) -> None:
    before = (trained / "model.safetensors").read_bytes()
    with pytest.raises(IGRError, match="would overwrite an input of the command: choose another --run"):
        train(replace(tiny, run=str(trained.parent), init=str(trained)))
    assert (trained / "model.safetensors").read_bytes() == before
    shutil.copytree(trained, tmp_path / "damaged")
    tensors = load_file(trained / "model.safetensors")
    name = next(name for name in sorted(tensors) if tensors[name].is_floating_point())
    tensors[name].view(-1)[0] = torch.nan
    save_file(tensors, tmp_path / "damaged" / "model.safetensors", {"format": "pt"})
    with pytest.raises(IGRError, match=f"init: .*damaged contains NaN or infinite values in {name}: name an intact"):
        train(replace(tiny, run=str(tmp_path / "run"), init=str(tmp_path / "damaged")))


def test_a_killed_run_resumes_as_if_it_had_not_been_killed(
    tiny: SegmenterTraining, trained: Path, tmp_path: Path
) -> None:
    parts = replace(tiny, run=str(tmp_path))
    with stopped_at_call(train_segmenter, "segmenter_loss", 4):
        train(parts)
    folder = train(parts)
    assert logged(tmp_path) == logged(trained.parent)
    one, other = (load_file(path / "model.safetensors") for path in (folder, trained))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_training_lowers_the_loss_of_every_kind_of_prompt(tiny: SegmenterTraining) -> None:
    torch.manual_seed(0)
    corpus = Corpus(open_photos(tiny, tiny.photo_size), SHAPE.image_size)
    model = Learner(SHAPE, len(ASKED) + 1).train()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    seen: dict[str, list[float]] = {}
    for step in range(90):
        terms = segmenter_loss(model, *corpus.take(torch.arange(4)), tiny, step)
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
        seen.setdefault(KINDS[1 + step % 3], []).append(float(terms["mask"].detach()))
    for losses in seen.values():
        assert sum(losses[-6:]) < 0.8 * sum(losses[:6])


def test_every_weight_learns_from_some_step(tiny: SegmenterTraining) -> None:
    torch.manual_seed(0)
    corpus = Corpus(open_photos(tiny, tiny.photo_size), SHAPE.image_size)
    model = Learner(SHAPE, len(ASKED) + 1).train()
    for step in range(24):  # all kinds, one mask and three, with a click and without
        segmenter_loss(model, *corpus.take(torch.arange(4)), tiny, step)["total"].backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_folder_loads_by_the_librarys_own_classes(tiny: SegmenterTraining, trained: Path) -> None:
    model, told = Sam2Model.from_pretrained(trained, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    assert model.dtype == torch.float16
    processor = Sam2Processor.from_pretrained(trained)
    assert processor.image_processor.size["height"] == processor.target_size == SHAPE.image_size
    summary = json.loads((trained / "segmenter.json").read_text())
    assert set(summary["scores"]) == {f"iou_{kind}" for kind in KINDS}
    assert summary["training"]["steps"] == tiny.steps and summary["revisions"][0][0] == 0 and summary["commands"]
    files = {"config.json", "model.safetensors", "processor_config.json", "segmenter.json"}
    assert {path.name for path in trained.iterdir()} == files


def test_training_sees_photos_as_the_processor_gives_them(trained: Path) -> None:
    model, processor = Sam2Model.from_pretrained(trained).float(), Sam2Processor.from_pretrained(trained)
    photo = next(held_out_photos(1, (48, 64))).photo.resize((64, 64))
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None] / 255
    given = processor(images=photo, return_tensors="pt")["pixel_values"]
    assert torch.allclose(given, normalise(pixels), atol=1e-5)
    for own, theirs in zip(embed(model, given), model.get_image_embeddings(given), strict=True):
        assert torch.equal(own, theirs)


def test_positions_in_the_image_and_of_clicks_use_one_matrix() -> None:
    model = build_segmenter(SHAPE)
    own, theirs = model.prompt_encoder.shared_embedding, model.shared_image_embedding
    assert torch.equal(own.positional_embedding, theirs.positional_embedding)


def test_the_loss_of_the_right_mask_is_lowest() -> None:
    coverage = torch.zeros(1, 1, 8, 8)
    coverage[..., 2:6, 2:6] = 1
    right = (coverage - 0.5) * 20
    masks = torch.stack([right, -right, right.roll(1, -1), torch.zeros_like(right)], 2)  # (1, 1, 4, 8, 8)
    losses = mask_losses(masks, coverage, 20.0)[0, 0]
    assert losses.argmin() == 0 and losses[0] < 0.01 and losses.argmax() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_step_has_the_same_prompts(tiny: SegmenterTraining, kind: train_segmenter.Kind) -> None:
    corpus = Corpus(open_photos(tiny, tiny.photo_size), SHAPE.image_size)
    _, shares = corpus.take(torch.arange(4))
    one, same, other = (ask(kind, shares, tiny, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.given.keys() == same.given.keys() and one.given
    assert all(torch.equal(one.given[name], same.given[name]) for name in one.given)
    assert not torch.equal(one.coverage, other.coverage)


def test_measure_reports_every_type_of_prompt(trained: Path) -> None:
    done = CliRunner().invoke(app, ["measure-segmenter", str(trained), "--count", "2"])
    assert done.exit_code == 0, done.output
    for name in ("click", "random_click", "box", "rough_mask", "rough_mask_itself"):
        assert f"\n{name} " in done.output


def test_scores_are_overlaps_with_the_garment(trained: Path) -> None:
    segmenter = Segmenter.from_folder(trained)
    one = next(held_out_photos(1, (48, 64)))
    scores = scores_of(segmenter, one)
    assert all(0 <= score <= 1 for score in scores.values()) and scores["rough_mask_itself"] > 0.5
    assert scores == scores_of(segmenter, replace(one))


def test_a_side_that_cannot_be_halved_is_named() -> None:
    with pytest.raises(IGRError, match="image_size is 100: it must be a multiple of 32"):
        build_segmenter(replace(SHAPE, image_size=100))


def test_a_global_block_that_cannot_be_is_named() -> None:
    with pytest.raises(IGRError, match="global_blocks has 2, the first block of a stage"):
        build_segmenter(replace(SHAPE, global_blocks=(2, 3)))
