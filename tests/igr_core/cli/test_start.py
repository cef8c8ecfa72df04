"""The option --start of `restore` and `catalogue`: from noise, or from the photo's pixels, laid out flat."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.cli import restoring_options
from igr_core.cli.restoring_options import start_of
from igr_core.included import INCLUDED_BUNDLE, INCLUDED_FLATTENER
from tests.support.catalogue.table import write_table
from tests.support.cli_kit import fails, files, invoke, restore, write_pair

EXAMPLES = Path(__file__).parents[3] / "nodes" / "examples"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_igr_small_starts_from_the_photos_pixels_and_can_start_from_noise(tmp_path: Path) -> None:
    photo, mask = EXAMPLES / "full.webp", EXAMPLES / "full_mask.png"
    words = ("restore", photo, "--mask", mask, "--category", "full", "--preset", "draft", "--device", "cpu")
    images = {}
    for name, more in (("own", ()), ("flat", ("--start", "flat")), ("noise", ("--start", "noise"))):
        result = invoke(*words, "--out", tmp_path / f"{name}.png", *more)
        assert result.exit_code == 0, result.output
        images[name] = pixels(tmp_path / f"{name}.png")
    assert (images["own"] == images["flat"]).all() and (images["own"] != images["noise"]).any()

    def detail(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=1)).mean())

    assert detail(images["flat"]) > 1.3 * detail(images["noise"])  # the cloth's own pattern


def test_a_copy_of_igr_small_is_igr_small(tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    shutil.copy(INCLUDED_BUNDLE, copy)
    assert start_of(None, copy) == start_of(None, INCLUDED_BUNDLE) == "flat"
    with copy.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    assert start_of(None, copy) == "noise" and start_of("flat", copy) == "flat"


def test_a_damaged_flattener_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "flattener.safetensors"
    damaged.write_bytes(INCLUDED_FLATTENER.read_bytes()[:100_000])
    monkeypatch.setattr(restoring_options, "INCLUDED_FLATTENER", damaged)
    photo, mask = EXAMPLES / "full.webp", EXAMPLES / "full_mask.png"
    words = ("restore", photo, "--mask", mask, "--category", "full", "--out", tmp_path / "x.png")
    fails(invoke(*words, "--device", "cpu"), 1, "flattener.safetensors cannot be read as a flattener")
    assert files(tmp_path) == ["flattener.safetensors"]


@pytest.mark.parametrize("spots", [False, True])
def test_a_garment_of_few_pixels_keeps_its_colours(tmp_path: Path, spots: bool) -> None:
    photo, mask = tmp_path / "small.png", tmp_path / "small_mask.png"
    size = (300, 400) if spots else (36, 48)
    with Image.open(EXAMPLES / "upper.webp") as image, Image.open(EXAMPLES / "upper_mask.png") as cover:
        small = np.asarray(cover.convert("L").resize(size, Image.Resampling.BOX)).copy()
        image.convert("RGB").resize(size, Image.Resampling.BOX).save(photo)
    if spots:  # as of a brush with gaps: no pixel is far enough from the mask's border
        small[::3] = 0
        small[:, ::3] = 0
    Image.fromarray(small).save(mask)
    words = ("restore", photo, "--mask", mask, "--category", "upper", "--size", "192x256", "--preset", "draft")
    assert invoke(*words, "--out", tmp_path / "x.png", "--device", "cpu").exit_code == 0
    shirt = pixels(tmp_path / "x.png")[100:160, 70:120]
    assert shirt.mean() > 170, shirt.mean()  # the shirt is white, and lies in the middle


def test_another_model_starts_from_noise(tmp_path: Path, bundle: Path) -> None:
    photo, mask = write_pair(tmp_path, "anna.png")
    for name, more in (("own", ()), ("noise", ("--start", "noise")), ("flat", ("--start", "flat"))):
        assert restore(photo, mask, tmp_path / f"{name}.png", bundle, *more).exit_code == 0
    assert (pixels(tmp_path / "own.png") == pixels(tmp_path / "noise.png")).all()
    assert (pixels(tmp_path / "own.png") != pixels(tmp_path / "flat.png")).any()


def test_evidence_details_transparency_and_more_photos_work_from_flat(tmp_path: Path, bundle: Path) -> None:
    photo, mask = write_pair(tmp_path, "anna.png")
    side, side_mask = write_pair(tmp_path, "side.png")
    with Image.open(side) as turned:
        turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(side)
    more = ("--also", side, "--also-mask", side_mask, "--evidence", tmp_path / "e.png", "--detail", "96x128")
    result = restore(photo, mask, tmp_path / "out.png", bundle, "--start", "flat", *more, "--transparent")
    assert result.exit_code == 0, result.output
    assert size_of(tmp_path / "out.png") == size_of(tmp_path / "e.png") == (96, 128)
    with Image.open(tmp_path / "out.png") as cut:
        assert cut.mode == "RGBA" and cut.getchannel("A").getextrema() == (0, 255)


def test_a_size_that_cannot_be_laid_out_is_refused_before_any_work(tmp_path: Path, bundle: Path) -> None:
    photo, mask = write_pair(tmp_path, "anna.png")
    result = restore(photo, mask, tmp_path / "out" / "x.png", bundle, "--start", "flat", "--size", "64x64")
    fails(result, 2, "--start flat: A garment cannot be laid out flat at 64x64: choose a size in the ratio of 192x256")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--candidates", 2), "--candidates needs --start noise"),
        (("--steps", 300), "--steps 300 is too many with --start flat: choose 1 to 250, or --start noise"),
    ],
)
def test_what_flat_cannot_do_is_refused(tmp_path: Path, options: tuple, problem: str) -> None:
    photo, mask = EXAMPLES / "full.webp", EXAMPLES / "full_mask.png"
    words = ("restore", photo, "--mask", mask, "--category", "full", "--out", tmp_path / "x.png", "--start", "flat")
    fails(invoke(*words, *options), 2, problem)
    assert not files(tmp_path)


def test_igr_small_starts_from_noise_at_a_size_that_cannot_be_laid_out(tmp_path: Path) -> None:
    photo, mask = EXAMPLES / "full.webp", EXAMPLES / "full_mask.png"
    words = ("restore", photo, "--mask", mask, "--category", "full", "--preset", "draft", "--device", "cpu")
    result = invoke(*words, "--out", tmp_path / "x.png", "--size", "192x192")
    assert result.exit_code == 0 and "Note: starting from noise. A garment cannot" in result.stderr, result.output


def test_a_catalogue_starts_from_flat_and_is_not_continued_from_noise(tmp_path: Path, bundle: Path) -> None:
    pytest.importorskip("pyarrow", reason="only the extra `catalogue` writes reports")
    pytest.importorskip("jinja2", reason="only the extra `catalogue` writes reports")
    table = write_table(tmp_path, "ab")
    words = ("catalogue", table, "--out", tmp_path / "out", "--bundle", bundle, "--steps", 2, "--device", "cpu")
    result = invoke(*words, "--start", "flat", "--detail", "96x128")
    assert result.exit_code == 0 and "2 restored" in result.stdout, result.output
    assert files(tmp_path / "out" / "garments") == files(tmp_path / "out" / "evidence") == ["a.png", "b.png"]
    assert size_of(tmp_path / "out" / "garments" / "a.png") == (96, 128)
    fails(invoke(*words, "--detail", "96x128"), 1, "was restored with other settings (start", "--overwrite")
    plain = invoke(*words, "--start", "flat", "--no-evidence", "--overwrite")
    assert plain.exit_code == 0 and "2 restored" in plain.stdout, plain.output
