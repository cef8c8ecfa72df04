"""The parser's training at tiny size: resuming, loss, and the resulting folder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import SegformerForSemanticSegmentation, SegformerImageProcessor
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.segmentation.human_parser import HumanParser, ParserInput
from igr_core.segmentation.labels import ATR, FASHN
from tests.support.training.stopping import logged, stopped_at_call
from training.cli.app import app
from training.small_models.held_out import held_out_photos
from training.small_models.parser import training as train_parser
from training.small_models.parser.labels import TAUGHT, mirrored
from training.small_models.parser.model import ParserShape, build_parser
from training.small_models.parser.scores import confusion, label_overlaps, parser_scores, score_of, true_labels
from training.small_models.parser.training import Corpus, ParserTraining, dice_loss, measure, parser_loss, train
from training.small_models.photos import normalise, open_photos

SHAPE = ParserShape(
    input_size=(96, 128), widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), heads=(1, 1, 2, 2), decoder_width=16
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ParserTraining:
    """A run of four steps on four photos."""
    folder = tmp_path_factory.mktemp("photos")
    return ParserTraining(
        data=str(folder / "train"),
        held_out=str(folder / "held_out"),
        photos=4,
        parser=SHAPE,
        steps=4,
        batch=3,
        optimizer="adamw",
        warmup=1,
        validation_pairs=2,
        log_every=1,
        save_every=2,
        validate_every=3,
    )


@pytest.fixture(scope="module")
def trained(tiny: ParserTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny run's model."""
    return train(replace(tiny, run=str(tmp_path_factory.mktemp("run"))))


def test_training_starts_from_a_finished_model(tiny: ParserTraining, trained: Path, tmp_path: Path) -> None:
    further = replace(tiny, run=str(tmp_path / "run"), init=str(trained), steps=1, warmup=0, learning_rate=1e-7)
    folder = train(further)
    before, after = (load_file(one / "model.safetensors") for one in (trained, folder))
    weights = [name for name in before if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert all(torch.allclose(after[name].float(), before[name].float(), atol=2e-3) for name in weights)
    summary = json.loads((folder / "parser.json").read_text())
    assert summary["started_from"] == json.loads((trained / "parser.json").read_text())
    with pytest.raises(IGRError, match="init: .*none cannot be loaded"):
        train(replace(further, run=str(tmp_path / "a"), init=str(tmp_path / "none")))
    with pytest.raises(IGRError, match="differs in shape from this config's model"):
        train(replace(further, run=str(tmp_path / "b"), parser=replace(SHAPE, decoder_width=8)))


def test_a_model_to_start_from_is_checked_and_kept(tiny: ParserTraining, trained: Path, tmp_path: Path) -> None:
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


def test_a_killed_run_resumes_as_if_it_had_not_been_killed(tiny: ParserTraining, trained: Path, tmp_path: Path) -> None:
    parts = replace(tiny, run=str(tmp_path))
    with stopped_at_call(train_parser, "parser_loss", 4):
        train(parts)
    folder = train(parts)
    assert logged(tmp_path) == logged(trained.parent)
    one, other = (load_file(path / "model.safetensors") for path in (folder, trained))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_training_lowers_the_loss(tiny: ParserTraining) -> None:
    torch.manual_seed(0)
    corpus = Corpus(open_photos(tiny, SHAPE.input_size))
    model = build_parser(SHAPE).train()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    seen: dict[str, list[float]] = {"labels": [], "dice": []}
    for step in range(60):
        terms = parser_loss(model, *corpus.take(torch.arange(4)), tiny, step)
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
        for name, losses in seen.items():
            losses.append(float(terms[name].detach()))
    assert sum(seen["labels"][-6:]) < 0.5 * sum(seen["labels"][:6])
    assert sum(seen["dice"][-6:]) < 0.97 * sum(seen["dice"][:6])
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_photo_and_labels_are_mirrored_together(tiny: ParserTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus(open_photos(tiny, SHAPE.input_size))
    photos, labels = corpus.take(torch.arange(4))
    seen: list[Tensor] = []
    model = build_parser(SHAPE).train()
    model.register_forward_pre_hook(lambda _, __, given: seen.append(given["pixel_values"]), with_kwargs=True)
    monkeypatch.setattr(train_parser, "recoloured", lambda photos, _: photos)
    monkeypatch.setattr(train_parser, "label_shares", lambda labels, _: seen.append(labels) or _shares(labels))
    flips = set()
    for step in range(4):
        seen.clear()
        parser_loss(model, photos, labels, tiny, step)
        pixels, taught = seen
        for number in range(4):
            flipped = not torch.equal(pixels[number], normalise(photos)[number])
            turned = photos[number : number + 1].flip(-1) if flipped else photos[number : number + 1]
            assert torch.equal(pixels[number : number + 1], normalise(turned))
            own = labels[number : number + 1]
            assert torch.equal(taught[number : number + 1], mirrored(own) if flipped else own)
            flips.add(flipped)
    assert flips == {True, False}


def _shares(labels: Tensor) -> Tensor:
    return torch.zeros(len(labels), len(ATR.labels), labels.shape[1] // 4, labels.shape[2] // 4)


def test_folder_loads_by_the_librarys_own_classes(tiny: ParserTraining, trained: Path) -> None:
    model, told = SegformerForSemanticSegmentation.from_pretrained(trained, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    assert model.dtype == torch.float16
    processor = SegformerImageProcessor.from_pretrained(trained)
    assert (processor.size["width"], processor.size["height"]) == SHAPE.input_size
    summary = json.loads((trained / "parser.json").read_text())
    assert summary["training"]["steps"] == tiny.steps and summary["revisions"][0][0] == 0 and summary["commands"]
    assert set(summary["scores"]) <= {"mean", *TAUGHT} and "background" in summary["scores"]
    files = {"config.json", "model.safetensors", "preprocessor_config.json", "parser.json"}
    assert {path.name for path in trained.iterdir()} == files


def test_folder_is_a_human_parser_that_sees_what_training_saw(trained: Path) -> None:
    parser = HumanParser.from_folder(trained)
    assert parser.names is ATR and parser.takes == ParserInput((128, 96))
    photo = next(held_out_photos(1, SHAPE.input_size))
    pixels = photo.pixels()
    assert parser.parse(pixels).shape == (1, 128, 96)
    seen = []
    parser.model.register_forward_pre_hook(lambda _, __, given: seen.append(given["pixel_values"]), with_kwargs=True)
    parser.parse(pixels)
    assert torch.allclose(seen[0], normalise(pixels), atol=1e-5)
    processor = SegformerImageProcessor.from_pretrained(trained)
    assert torch.allclose(seen[0], processor(photo.photo, return_tensors="pt")["pixel_values"], atol=1e-5)


def test_measuring_leaves_the_model_as_it_was(tiny: ParserTraining) -> None:
    corpus = Corpus(open_photos(tiny, SHAPE.input_size))
    model = build_parser(SHAPE).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, other = (measure(model, corpus, batch) for batch in (1, 4))
    assert one == other and model.training  # equal, because the learnt statistics normalise any batch
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_dice_loss_of_the_right_labels_is_lowest() -> None:
    wanted = torch.zeros(1, 3, 4, 4)
    wanted[:, 0, :, :2] = wanted[:, 1, :, 2:] = 1
    right = (wanted - 0.5) * 20
    assert dice_loss(right, wanted) < 0.01 < dice_loss(torch.zeros_like(right), wanted) < dice_loss(-right, wanted)


def test_overlaps_of_labels_are_counted_by_pixels() -> None:
    truth, found = torch.zeros(1, 2, 4, dtype=torch.long), torch.zeros(1, 2, 4, dtype=torch.long)
    truth[..., 2:] = found[..., 3:] = ATR.labels.index("dress")
    found[0, 0, 0] = ATR.labels.index("hat")  # drawn people do not wear one
    overlaps = label_overlaps(confusion(found, truth))
    assert overlaps == {"background": pytest.approx(3 / 6), "dress": 0.5}


def test_the_truth_gets_the_best_scores() -> None:
    for one in held_out_photos(4, (96, 128)):
        truth = true_labels(one)
        score = score_of(truth, truth, ATR, one)
        assert score.overlap == score.overlap_of_truth > 0.5 and score.auto == score.auto_of_truth
        nothing = score_of(torch.zeros_like(truth), truth, ATR, one)
        assert (nothing.overlap, nothing.auto, nothing.auto_of_truth) == (0.0, "", score.auto)


def test_measure_reports_garments_and_labels(trained: Path) -> None:
    done = CliRunner().invoke(app, ["measure-parser", str(trained), "--count", "3"])
    assert done.exit_code == 0, done.output
    for words in ("garment ", "by true labels", "auto category: ", "labels: mean IoU"):
        assert f"\n{words}" in done.output


def test_a_parser_of_other_labels_is_not_measured(trained: Path) -> None:
    parser = HumanParser.from_folder(trained)
    parser.names = FASHN
    with pytest.raises(IGRError, match="uses fashn-human-parser labels"):
        parser_scores(parser, 2, (24, 32))
    assert np.isfinite([row.overlap for row in parser_scores(HumanParser.from_folder(trained), 2, (96, 128))[0]]).all()


def test_a_size_that_cannot_be_halved_is_named() -> None:
    with pytest.raises(IGRError, match="input_size is 90x120: both must be multiples of 32"):
        build_parser(replace(SHAPE, input_size=(90, 120)))
