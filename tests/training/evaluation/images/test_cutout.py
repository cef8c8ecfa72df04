"""Cutting garments out of other methods' results, and adapting their canvas, for whole folders by command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from igr_core.errors import IGRError
from igr_core.photo.image_files import IMAGE_SUFFIXES
from igr_core.photo.images import load_mask, load_photo, save_image
from igr_core.segmentation.sam2_prompt import prompt_from_mask
from igr_core.segmentation.segmenter import Segmenter
from tests.support.models.tiny_sam2 import save_sam2
from training.cli.app import app
from training.evaluation.images.adapters import METHODS
from training.evaluation.images.cutout import Task, cut_out, work_through
from training.evaluation.images.cutout_settings import NAME
from training.evaluation.images.folders import faults, images_in

SIZE = (60, 90)
NAMES = ("anna", "ben", "cleo")


@pytest.fixture(scope="module")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sam2(tmp_path_factory.mktemp("sam2") / "tiny")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """pictures/NAME.jpg, masks/NAME.png and one mask beside them, mask.png."""
    for folder in ("pictures", "masks"):
        (tmp_path / folder).mkdir()
    for seed, name in enumerate(NAMES):
        noise = np.random.default_rng(seed).integers(0, 200, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "pictures" / f"{name}.jpg", quality=100)
        mask((10 + 5 * seed, 20, 50, 70)).save(tmp_path / "masks" / f"{name}.png")
    mask((10, 20, 50, 70)).save(tmp_path / "mask.png")
    return tmp_path


def mask(box: tuple[int, int, int, int]) -> Image.Image:
    picture = Image.new("L", SIZE)
    picture.paste(255, box)
    return picture


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", "cutout", *(str(word) for word in words)])


def segment(place: Path, sam2: Path, *more: object, masks: str = "masks", out: str = "out") -> Result:
    paths = ("--masks", place / masks, "--sam2", sam2, "--out", place / out)
    return invoke("segment", place / "pictures", *paths, "--device", "cpu", *more)


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != NAME}


def last_error(result: Result) -> str:
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    return result.stderr.splitlines()[-1]


# segment ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["box", "points", "both"])
def test_a_folder_is_cut_out_by_the_best_scored_mask(place: Path, sam2: Path, prompt: str) -> None:
    result = segment(place, sam2, "--prompt", prompt)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "3 cut out, 0 already done, 0 failed."
    assert sorted(written(place / "out")) == [f"{name}.png" for name in NAMES]
    segmenter = Segmenter.from_folder(sam2)
    for name in NAMES:
        picture = load_photo(place / "pictures" / f"{name}.jpg")
        asked = prompt_from_mask(load_mask(place / "masks" / f"{name}.png"), prompt)  # type: ignore[arg-type]
        masks, scores = segmenter.masks(segmenter.embed(picture), asked)
        inside = masks[scores.argmax()].bool().expand(3, -1, -1)
        found = load_photo(place / "out" / f"{name}.png")
        assert found.shape == picture.shape
        assert torch.equal(found[0][inside], picture[0][inside]) and (found[0][~inside] == 1).all()
        assert 0 < float(inside.float().mean()) < 1


def test_one_mask_file_serves_all(place: Path, sam2: Path) -> None:
    assert segment(place, sam2, masks="mask.png", out="one").exit_code == 0
    assert segment(place, sam2).exit_code == 0
    one, own = written(place / "one"), written(place / "out")
    assert one.keys() == own.keys()
    assert one["anna.png"] == own["anna.png"] and one["cleo.png"] != own["cleo.png"]  # anna's own mask is the same


def test_a_stopped_run_resumes_and_overwrite_starts_again(place: Path, sam2: Path) -> None:
    assert segment(place, sam2).exit_code == 0
    complete = written(place / "out")
    (place / "out" / "ben.png").unlink()
    (place / "out" / "cleo.png").write_bytes(b"kept as it is")
    result = segment(place, sam2)
    assert result.stdout.splitlines()[-1] == "1 cut out, 2 already done, 0 failed."
    assert written(place / "out") == complete | {"cleo.png": b"kept as it is"}
    result = segment(place, sam2, "--overwrite")
    assert result.stdout.splitlines()[-1] == "3 cut out, 0 already done, 0 failed."
    assert written(place / "out") == complete


def test_no_model_is_loaded_if_nothing_is_left_to_do(place: Path) -> None:
    tasks = [Task(place / "pictures" / f"{name}.jpg", place / "mask.png", place / f"{name}.png") for name in NAMES]
    first = work_through(tasks, lambda: lambda task: task.out.write_bytes(b""), False, "working", {"of": "mine"})  # type: ignore[return-value]
    again = work_through(tasks, lambda: pytest.fail("it was loaded"), False, "working", {"of": "mine"})
    assert len(first.done) == len(again.skipped) == 3 and not again.done


@pytest.mark.parametrize("changed", ["prompt", "sam2", "a mask", "one mask for all", "a picture", "no record"])
def test_pictures_of_other_settings_are_refused_until_they_are_overwritten(
    changed: str, place: Path, sam2: Path, tmp_path: Path
) -> None:
    assert segment(place, sam2).exit_code == 0
    words, masks, sentence = [], "masks", "1 image made from other files (cleo.png)"
    if changed == "prompt":
        words, sentence = ["--prompt", "points"], "images made with prompt box, but this run uses prompt points"
    elif changed == "sam2":
        shutil.copytree(sam2, place / "other")
        config = (sam2 / "config.json").read_text()
        (place / "other" / "config.json").write_text(config + "\n")
        sam2, sentence = place / "other", "images made with sam2 tiny ("
    elif changed == "a mask":
        mask((5, 20, 50, 70)).save(place / "masks" / "cleo.png")
    elif changed == "one mask for all":
        masks, sentence = "mask.png", "2 images made from other files (ben.png)"  # anna's own mask is the same
    elif changed == "a picture":
        shutil.copy(place / "pictures" / "ben.jpg", place / "pictures" / "cleo.jpg")
    else:
        (place / "out" / NAME).unlink()
        sentence = f"anna.png, but no {NAME} with its settings"
    before = written(place / "out")
    told = last_error(segment(place, sam2, *words, masks=masks))
    assert told.startswith(f"Error: {place / 'out'} contains {sentence}") and told.endswith(
        ": choose another --out, or replace the images with --overwrite."
    )
    assert written(place / "out") == before
    assert segment(place, sam2, *words, "--overwrite", masks=masks).exit_code == 0
    result = segment(place, sam2, *words, masks=masks)
    assert result.stdout.splitlines()[-1] == "0 cut out, 3 already done, 0 failed."


def test_more_images_are_added_to_existing_ones_and_the_record_contains_no_path(place: Path, sam2: Path) -> None:
    assert segment(place, sam2).exit_code == 0
    shutil.copy(place / "pictures" / "cleo.jpg", place / "pictures" / "dora.jpg")
    shutil.copy(place / "masks" / "cleo.png", place / "masks" / "dora.png")
    assert segment(place, sam2).stdout.splitlines()[-1] == "1 cut out, 3 already done, 0 failed."
    record = json.loads((place / "out" / NAME).read_text())
    assert list(record["inputs"]) == ["anna.png", "ben.png", "cleo.png", "dora.png"]
    assert record["inputs"]["cleo.png"] == record["inputs"]["dora.png"] != record["inputs"]["ben.png"]
    assert record["settings"]["prompt"] == "box" and str(place) not in (place / "out" / NAME).read_text()
    (place / "out" / NAME).write_text("{")
    assert f"{place / 'out' / NAME} is not valid JSON" in last_error(segment(place, sam2))


def test_a_stopped_overwriting_run_leaves_no_earlier_images(place: Path) -> None:
    tasks = [Task(place / "pictures" / f"{name}.jpg", place / "mask.png", place / f"{name}.png") for name in NAMES]
    work_through(tasks, lambda: lambda task: task.out.write_bytes(b"one"), False, "working", {"of": "one"})  # type: ignore[return-value]

    def stop(task: Task) -> None:
        if task.out.stem == "ben":
            raise KeyboardInterrupt
        task.out.write_bytes(b"two")

    with pytest.raises(KeyboardInterrupt):
        work_through(tasks, lambda: stop, True, "working", {"of": "two"})
    assert [task.out.exists() for task in tasks] == [True, False, False]
    work_through(tasks, lambda: lambda task: task.out.write_bytes(b"two"), False, "working", {"of": "two"})  # type: ignore[return-value]
    assert {task.out.read_bytes() for task in tasks} == {b"two"}


def test_pictures_without_a_mask_are_all_listed_before_anything_starts(place: Path) -> None:
    for name in ("ben", "cleo"):
        (place / "masks" / f"{name}.png").unlink()
    result = segment(place, place / "no_sam2")
    assert last_error(result) == (
        f"Error: 2 of 3 images in {place / 'pictures'} cannot be used (see above): fix them, or set "
        "--masks to one mask for all images."
    )
    assert result.stdout.splitlines() == [
        f"{name}.jpg: The photo has no mask: put {name}.png into {place / 'masks'}." for name in ("ben", "cleo")
    ]
    assert not (place / "out").exists()


def test_wrong_folders_and_files_are_reported_before_anything_starts(place: Path, sam2: Path) -> None:
    pictures = place / "pictures"
    (place / "empty").mkdir()
    Image.new("L", SIZE).save(place / "black.png")
    (place / "text.png").write_text("no picture")
    nowhere = place / "no_sam2"
    cases = [
        (segment(place, nowhere, masks="none"), f"--masks {place / 'none'} does not exist: specify a folder of masks, "
        "or one mask for all images."),
        (segment(place, nowhere, masks="black.png"), f"--masks {place / 'black.png'}: The mask is empty: paint the "
        "garment white on black."),
        (segment(place, nowhere, masks="text.png"), f"--masks {place / 'text.png'}: {place / 'text.png'} is not a "
        "supported image: save it as a PNG, JPEG, WebP or TIFF file."),
        (segment(place, nowhere, out="pictures"), f"--out {pictures} is also an input folder: choose another one."),
        (segment(place, nowhere, out="masks"), f"--out {place / 'masks'} is also an input folder: choose another "
        "one."),
        (segment(place, nowhere), f"{nowhere} is not a SAM 2 folder: it needs a config.json and *.safetensors, as in "
        "a download of facebook/sam2.1-hiera-large."),
        (invoke("segment", place / "gone", "--masks", place / "masks", "--sam2", sam2, "--out", place / "out"),
         f"{place / 'gone'} is not a folder: specify a folder of images."),
        (invoke("segment", place / "empty", "--masks", place / "masks", "--sam2", sam2, "--out", place / "out"),
         f"{place / 'empty'} has no images ({', '.join(IMAGE_SUFFIXES)}): choose another folder."),
    ]  # fmt: skip
    for result, sentence in cases:
        told = last_error(result)
        assert told == f"Error: {sentence}"
    assert segment(place, sam2, "--device", "nonsense").exit_code == 2
    assert segment(place, sam2, "--prompt", "scribble").exit_code == 2
    assert sorted(written(pictures)) == [f"{name}.jpg" for name in NAMES] and not (place / "out").exists()


def test_a_picture_that_fails_is_named_at_the_end_and_the_rest_goes_on(place: Path, sam2: Path) -> None:
    pictures, masks = place / "pictures", place / "masks"
    (pictures / "anna.jpg").write_bytes((pictures / "anna.jpg").read_bytes()[:2000])
    Image.new("L", SIZE).save(masks / "ben.png")
    for name in ("dora", "emil"):
        shutil.copy(pictures / "cleo.jpg", pictures / f"{name}.jpg")
    mask((10, 20, 50, 70)).resize((30, 45)).save(masks / "dora.png")
    (masks / "emil.png").write_text("no picture")
    result = segment(place, sam2)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "1 cut out, 0 already done, 4 failed."
    anna, ben, dora, emil = result.stderr.splitlines()[-4:]
    assert anna.startswith(f"Failed: anna.jpg: {pictures / 'anna.jpg'} is truncated or damaged (")
    assert ben == (
        f"Failed: ben.jpg: {pictures / 'ben.jpg'} with mask {masks / 'ben.png'}: The mask is empty: paint the garment "
        "white on black."
    )
    assert dora == (
        f"Failed: dora.jpg: {pictures / 'dora.jpg'} with mask {masks / 'dora.png'}: The mask is 30×45 but the photo is "
        "60×90: resize the mask to 60×90."
    )
    assert emil == (
        f"Failed: emil.jpg: {masks / 'emil.png'} is not a supported image: save it as a PNG, JPEG, WebP or TIFF file."
    )
    assert sorted(written(place / "out")) == ["cleo.png"]


def test_an_empty_cutout_is_an_error_of_its_picture(place: Path, tmp_path: Path) -> None:
    result = segment(place, save_sam2(tmp_path / "blind", sees_nothing=True))
    picture, own = place / "pictures" / "cleo.jpg", place / "masks" / "cleo.png"
    assert last_error(result) == (
        f"Failed: cleo.jpg: {picture} with mask {own}: SAM 2 found nothing at the mask: check that the mask is on the "
        "garment, or try another --prompt."
    )
    assert written(place / "out") == {}


def test_the_mask_of_another_size_is_refused_before_the_encoder_runs(sam2: Path) -> None:
    with pytest.raises(IGRError, match="resize the mask to 60×90"):
        cut_out(torch.rand(1, 3, 90, 60), torch.ones(1, 1, 45, 30), Segmenter.from_folder(sam2))


def test_a_bug_or_a_lack_of_memory_fails_one_image_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tasks = [Task(Path(f"{name}.jpg"), Path("mask.png"), tmp_path / "out" / f"{name}.png") for name in NAMES]

    def write(task: Task) -> None:
        if task.picture.stem == "anna":
            raise KeyError("surprise")
        if task.picture.stem == "ben":
            raise MemoryError
        task.out.write_bytes(b"done")

    report = work_through(tasks, lambda: write, False, "working", {})
    assert report.done == [tmp_path / "out" / "cleo.png"] and report.done[0].read_bytes() == b"done"
    assert report.failed == {
        "anna.jpg": "Unexpected error ('surprise'): please report this.",
        "ben.jpg": "There was not enough memory: close other programs, or use --device cpu.",
    }
    assert "Unexpected error for anna.jpg" in caplog.text and "surprise" in caplog.text


# adapt -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """garments/NAME.jpg of 96×128 in one colour each, and as the methods write them: tryoffdiff/, tryoffanyone/."""
    for folder in ("garments", *METHODS):
        (tmp_path / folder).mkdir()
    for name, colour in zip(NAMES, ((200, 0, 0), (0, 200, 0), (0, 0, 200)), strict=True):
        garment = Image.new("RGB", (96, 128), "white")
        garment.paste(colour, (24, 32, 64, 96))
        garment.save(tmp_path / "garments" / f"{name}.jpg", quality=100, subsampling=0)
        square = Image.new("RGB", (128, 128), "white")
        square.paste(garment, (16, 0))
        square.resize((512, 512)).save(tmp_path / "tryoffdiff" / f"{name}.png")
        garment.resize((384, 512)).save(tmp_path / "tryoffanyone" / f"{name}.png")
    return tmp_path


def adapt(others: Path, method: str, *more: object) -> Result:
    words = ("--method", method, "--reference", others / "garments", "--out", others / "out", *more)
    return invoke("adapt", others / method, *words)


@pytest.mark.parametrize("method", METHODS)
def test_adapted_results_match_their_references_and_can_be_scored(others: Path, method: str) -> None:
    result = adapt(others, method)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "3 adapted, 0 already done, 0 failed."
    for name in NAMES:
        found = load_photo(others / "out" / f"{name}.png")
        truth = load_photo(others / "garments" / f"{name}.jpg")
        assert found.shape == truth.shape
        assert (found - truth).abs().mean() < 0.01  # edges are resized twice
        assert (found - truth)[..., 40:88, 32:56].abs().max() < 0.02
    assert faults(images_in(others / "out"), images_in(others / "garments")) == {}


def test_results_that_do_not_fit_are_named(others: Path) -> None:
    squares = others / "tryoffdiff"
    Image.new("RGB", (384, 512), "white").save(squares / "anna.png")
    result = adapt(others, "tryoffdiff")
    assert last_error(result) == (
        f"Failed: anna.png: {squares / 'anna.png'} is 384x512, but TryOffDiff writes squares: score the file "
        "unchanged if its padding has already been cropped."
    )
    assert sorted(written(others / "out")) == ["ben.png", "cleo.png"]
    save_image(squares / "dora.png", torch.ones(3, 64, 64))
    (others / "garments" / "ben.jpg").unlink()
    shutil.rmtree(others / "out")
    result = adapt(others, "tryoffdiff")
    assert last_error(result) == (
        f"Error: 2 of 4 images in {squares} have no reference (see above): rename them like their references, or "
        "remove them."
    )
    assert result.stdout.splitlines() == [
        f"{name}.png: There is no {name} in {others / 'garments'}." for name in ("ben", "dora")
    ]
    assert not (others / "out").exists()


def test_adapting_resumes_and_reports_invalid_options(others: Path) -> None:
    assert adapt(others, "tryoffanyone").exit_code == 0
    (others / "out" / "ben.png").write_bytes(b"kept")
    assert adapt(others, "tryoffanyone").stdout.splitlines()[-1] == "0 adapted, 3 already done, 0 failed."
    assert (others / "out" / "ben.png").read_bytes() == b"kept"
    assert adapt(others, "tryoffanyone", "--overwrite").stdout.splitlines()[-1].startswith("3 adapted")
    assert (others / "out" / "ben.png").read_bytes() != b"kept"
    assert adapt(others, "cfld").exit_code == 2
    words = ("--method", "tryoffdiff", "--reference", others / "garments", "--out", others / "out")
    assert "contains images made with method tryoffanyone, but this run uses method tryoffdiff: " in last_error(
        invoke("adapt", others / "tryoffdiff", *words)
    )
    words = ("--method", "tryoffdiff", "--out", others / "out", "--reference", others / "none")
    assert last_error(invoke("adapt", others / "tryoffdiff", *words)) == (
        f"Error: {others / 'none'} is not a folder: specify a folder of images."
    )
