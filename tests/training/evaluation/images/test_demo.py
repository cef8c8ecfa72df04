"""The demo with a tiny real bundle: held-out pairs, restored like a user's photo, on a legible sheet."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from igr_core import device
from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle, save_bundle
from igr_core.model.config import CATEGORIES
from igr_core.photo.images import load_mask, load_photo, save_image
from igr_core.photo.view import make_view
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from tests.support.models.tiny import MODEL, save_runnable
from training.cli.app import app
from training.cli.evaluate import demo as demo_command
from training.data.contract.seeds import HELD_OUT_START
from training.data.opening import DataSetConfig, open_data_set
from training.evaluation.images import demo

PHOTO = "upper-astronaut"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle with random weights."""
    return save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    """A demo run of one pair per category, and the photo, in float32 on every CPU."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "has_bfloat16_units", lambda: False)
        demo_command(folder, 1, bundle=bundle, steps=2, guidance=1.5)
    return folder


def test_the_included_pairs_are_the_first_held_out_ones_of_each_category() -> None:
    source = open_data_set(DataSetConfig(str(demo.PAIRS)))
    names = [entry.name for entry in source.entries]
    seeds = [int(name.split("/")[0].removeprefix("garment-")) for name in names]
    assert seeds == list(range(seeds[0], seeds[0] + len(seeds))) and seeds[0] == 10_002_000 > HELD_OUT_START
    chosen = [source.entries[index] for index in demo.first_pairs(source, 2)]
    for category in CATEGORIES:
        of = [entry for entry in source.entries if entry.category == category]
        assert [entry for entry in chosen if entry.category == category] == of[:2] and len(of) >= 2


def test_requesting_too_many_pairs_is_reported_in_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out"), "--count-per-category", "99"])
    assert done.exit_code == 1 and "fewer per category with --count-per-category." in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_category_without_pairs_is_named() -> None:
    source = open_data_set(DataSetConfig(str(demo.PAIRS), split="test", categories=("upper",)))
    with pytest.raises(IGRError, match="has no pairs of the category lower: choose another data set with --data"):
        demo.first_pairs(source, 1)


def test_writes_exactly_the_expected_files(out: Path) -> None:
    names = {path.name for path in out.iterdir()}
    stems = {name.rsplit("-", 1)[0] for name in names - {"sheet.png"}}
    assert sorted(stem.split("-")[0] for stem in stems - {PHOTO}) == sorted(CATEGORIES)
    kinds = ("person", "mask", "restored", "detailed", "truth")
    files = {f"{stem}-{kind}.png" for stem in stems for kind in kinds} - {f"{PHOTO}-truth.png"}
    assert PHOTO in stems and names == {"sheet.png"} | files


def test_pictures_have_the_sizes_that_a_user_expects(out: Path) -> None:
    for path in out.glob("*-garment-*.png"):
        kind = path.stem.rsplit("-", 1)[1]
        with Image.open(path) as picture:
            double = tuple(demo.ENLARGED * side for side in MODEL.native_size)
            sizes = {"restored": MODEL.native_size, "truth": MODEL.native_size, "detailed": double}
            assert picture.size == sizes.get(kind, (384, 512))


def test_restores_the_same_garments_as_a_user_from_the_files(out: Path, bundle: Path, tmp_path: Path) -> None:
    person = next(out.glob("lower-*-person.png"))
    stem = person.stem.removesuffix("-person")
    photo, mask = load_photo(person), load_mask(out / f"{stem}-mask.png")
    view = make_view(photo, mask, MODEL.native_size, MODEL.view, MODEL.image_encoder.image_size)
    garment = GarmentRestorer.from_bundle(bundle).restore(view, "lower", Sampling(2, 1.5), seed=0)
    save_image(tmp_path / "again.png", garment)
    with Image.open(tmp_path / "again.png") as again, Image.open(out / f"{stem}-restored.png") as shown:
        assert np.abs(np.asarray(again).astype(int) - np.asarray(shown).astype(int)).max() <= 1


def test_a_model_without_garmnet_has_no_details_to_show(bundle: Path, tmp_path: Path) -> None:
    whole = Bundle.open(bundle)
    parts = {row["part"]: whole.tensors(row["part"]) for row in whole.summary() if row["part"] != "garmnet"}
    info = replace(whole.info, model=replace(whole.info.model, garmnet=None))
    save_bundle(tmp_path / "plain.safetensors", info, parts)
    demo_command(tmp_path / "out", 1, bundle=tmp_path / "plain.safetensors", steps=1)
    assert (tmp_path / "out" / "sheet.png").is_file() and not list((tmp_path / "out").glob("*-detailed.png"))


def test_sheet_has_a_titled_column_and_a_line_per_person(out: Path) -> None:
    with Image.open(out / "sheet.png") as picture:
        sheet = np.asarray(picture).astype(int)
    step, line = demo.CELL[0] + demo.GAP, demo.CAPTION_HEIGHT + demo.CELL[1] + demo.GAP
    assert sheet.shape == (demo.TITLE_HEIGHT + 4 * line, demo.GAP + len(demo.COLUMNS) * step, 3)
    for column in range(len(demo.COLUMNS)):
        left = demo.GAP + column * step
        assert sheet[: demo.TITLE_HEIGHT, left : left + demo.CELL[0]].min() < 128  # the title's ink
        for row in range(3 if column == len(demo.COLUMNS) - 1 else 4):  # the photo has no true garment
            top = demo.TITLE_HEIGHT + row * line + demo.CAPTION_HEIGHT
            assert sheet[top : top + demo.CELL[1], left : left + demo.CELL[0]].std() > 1  # a picture


def test_says_where_the_pictures_are_and_how_long_it_took(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_command(tmp_path, 1, bundle=bundle, steps=1, guidance=1.0)
    said = capsys.readouterr().out
    assert str(tmp_path / "sheet.png") in said
    assert said.count("-restored.png") == 4
    restoring, total = map(float, re.search(r"4 garments restored in ([\d.]+) s, or in ([\d.]+) s", said).groups())
    assert 0 <= restoring < total


def test_the_sheet_is_also_written_for_a_page(bundle: Path, tmp_path: Path) -> None:
    demo_command(tmp_path, 1, bundle=bundle, steps=1, page_image=tmp_path / "page.jpg")
    with Image.open(tmp_path / "page.jpg") as page, Image.open(tmp_path / "sheet.png") as sheet:
        assert page.format == "JPEG" and page.width == demo.PAGE_WIDTH
        assert page.height / page.width == pytest.approx(sheet.height / sheet.width, rel=0.01)


def test_a_missing_bundle_is_reported_in_one_sentence(tmp_path: Path) -> None:
    words = ["demo", "--out", str(tmp_path / "out"), "--bundle", str(tmp_path / "none.safetensors")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "none.safetensors" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
