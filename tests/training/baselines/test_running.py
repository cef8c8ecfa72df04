"""Runs over a data set: resuming, bad photos, canvases, settings, and use in an evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from igr_core.errors import IGRError
from igr_core.restore.jobs import Report
from training.baselines.method import Item
from training.baselines.running import NAME, WITHOUT_GARMENTS, Canvas, Run, file_names, other_categories, restore_all
from training.cli.app import app
from training.data.contract.pairs import PairSource
from training.data.fixtures import write_fixture
from training.data.opening import DataSetConfig, build_source
from training.evaluation.experiments.others import find_others
from training.evaluation.images.adapters import without_padding
from training.evaluation.images.subjects import Subjects

SIZE = (96, 128)


class Colours:
    """A method that returns squares with a colour for each photo, and records its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.stop_at: int | None = None
        self.nan_at: int | None = None

    def load(self, item: Item) -> int:
        if item.photo.getpixel((0, 0)) == (1, 2, 3):
            raise IGRError(f"{item.photo_name} has the wrong corner: take another photo.")
        return item.index

    def generate(self, items: Sequence[Item], photos: Sequence[int]) -> list[Image.Image]:
        self.batches.append(list(photos))
        if self.stop_at in photos:
            raise KeyboardInterrupt
        if self.nan_at in photos:
            raise IGRError("The network returned NaN.")
        return [square(index) for index in photos]


def square(index: int) -> Image.Image:
    """White bars at the sides, and a colour that depends on the photo between them."""
    image = Image.new("RGB", (512, 512), "white")
    image.paste((20 * index, 100, 200), (64, 0, 448, 512))
    return image


@pytest.fixture(scope="module")
def viton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "VITON-HD"
    write_fixture("viton_hd", root, 5, 0, SIZE)
    return root


@pytest.fixture
def source(viton: Path) -> PairSource:
    return build_source(DataSetConfig(str(viton), split="test", keep_leaks=True))


def run(source: PairSource, out: Path, method: Colours, canvas: Canvas = "reference", **described: object) -> Report:
    described = {"method": "colours", **described}
    return restore_all(Run(source, out, "tryoffdiff", canvas, batch=2), described, lambda: method)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_every_photo_gets_an_image_on_the_canvas_of_its_garment(source: PairSource, tmp_path: Path) -> None:
    method = Colours()
    report = run(source, tmp_path, method)
    names = file_names(source)
    assert [path.stem for path in report.done] == names and not report.failed
    assert method.batches == [[0, 1], [2, 3], [4]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([NAME, *(f"{name}.png" for name in names)])
    image = pixels(tmp_path / f"{names[2]}.png")
    assert image.shape == (128, 96, 3) and (image == (40, 100, 200)).all()  # the padding is gone
    found = find_others(tmp_path, Subjects(source))  # an experiment finds the images in this way
    assert not found.missing and not found.extra


def test_own_canvas_and_adapt_give_the_same(source: PairSource, viton: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "squares", Colours(), "own")
    run(source, tmp_path / "direct", Colours())
    assert {pixels(path).shape for path in (tmp_path / "squares").glob("*.png")} == {(512, 512, 3)}
    words = [tmp_path / "squares", "--method", "tryoffdiff", "--reference", viton / "test" / "cloth"]
    done = invoke("evaluate", "cutout", "adapt", *words, "--out", tmp_path / "adapted")
    assert done.exit_code == 0, done.output
    for name in file_names(source):
        adapted, direct = (
            np.asarray(Image.open(tmp_path / folder / f"{name}.png")) for folder in ("adapted", "direct")
        )
        assert np.array_equal(adapted, direct)


def test_a_stopped_run_resumes_with_the_photos_that_are_left(source: PairSource, tmp_path: Path) -> None:
    first = Colours()
    first.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path, first)
    names = file_names(source)
    assert {path.stem for path in tmp_path.glob("*.png")} == set(names[:2])
    (tmp_path / f"{names[0]}.png").write_bytes(b"kept")
    second = Colours()
    report = run(source, tmp_path, second)
    assert second.batches == [[2, 3], [4]]  # with their positions in the data set, which determine the noise
    assert len(report.skipped) == 2 and len(report.done) == 3
    assert (tmp_path / f"{names[0]}.png").read_bytes() == b"kept"
    third = restore_all(
        Run(source, tmp_path, "tryoffdiff"), {"method": "colours"}, lambda: pytest.fail("the method was loaded")
    )
    assert len(third.skipped) == 5


def test_a_photo_that_becomes_nan_is_named_and_the_others_continue(source: PairSource, tmp_path: Path) -> None:
    method = Colours()
    method.nan_at = 3
    report = run(source, tmp_path, method)
    names = file_names(source)
    assert report.failed == {names[3]: "The network returned NaN."}
    assert [path.stem for path in report.done] == [*names[:3], names[4]]
    assert method.batches == [[0, 1], [2, 3], [2], [3], [4]]


def test_a_bad_photo_is_named_and_the_others_continue(tmp_path: Path) -> None:
    root = tmp_path / "VITON-HD"
    write_fixture("viton_hd", root, 5, 0, SIZE)
    source = build_source(DataSetConfig(str(root), split="test", keep_leaks=True))
    names = file_names(source)
    photos = [root / "test" / "image" / f"{name}.jpg" for name in names]
    photos[0].write_bytes(b"not an image")
    photos[1].unlink()
    corner = Image.new("RGB", SIZE, (1, 2, 3))
    corner.save(photos[2], format="PNG")
    (root / "test" / "cloth" / photos[3].name).write_bytes(b"")
    report = run(source, tmp_path / "out", Colours())
    assert [path.stem for path in report.done] == names[4:]
    assert list(report.failed) == names[:4]
    assert all(name in sentence for name, sentence in report.failed.items())
    assert "wrong corner" in report.failed[names[2]] and "cloth" in report.failed[names[3]]
    photos[2].write_bytes(photos[4].read_bytes())
    assert [path.stem for path in run(source, tmp_path / "out", Colours()).done] == [names[2]]


def test_images_with_other_settings_never_mix(source: PairSource, tmp_path: Path) -> None:
    run(source, tmp_path, Colours(), seed=1)
    with pytest.raises(IGRError, match=r"baseline.json records different settings: choose another --out"):
        run(source, tmp_path, Colours(), seed=2)
    (tmp_path / NAME).unlink()
    with pytest.raises(IGRError, match=r"but no baseline.json with its settings: choose another --out"):
        run(source, tmp_path, Colours(), seed=1)


def test_nothing_is_written_if_the_method_cannot_be_loaded(source: PairSource, tmp_path: Path) -> None:
    def broken() -> Colours:
        raise IGRError("the weights are damaged")

    with pytest.raises(IGRError, match="damaged"):
        restore_all(Run(source, tmp_path / "out", "tryoffdiff"), {}, broken)
    assert not (tmp_path / "out").exists()


def test_pairs_that_share_a_photo_get_the_names_of_pairs(tmp_path: Path) -> None:
    write_fixture("dresscode", tmp_path, 2, 0, SIZE)
    source = build_source(DataSetConfig(str(tmp_path), split="test"))
    assert all(name.endswith("_0") and "test" not in name for name in file_names(source))
    photo = source.photo_name(0)

    class Shared(type(source)):  # type: ignore[misc]
        def photo_name(self, index: int) -> str:
            return photo

    source.__class__ = Shared
    assert file_names(source) == [entry.name.replace("/", "_") for entry in source.entries]
    run(source, tmp_path / "out", Colours())
    assert not find_others(tmp_path / "out", Subjects(source)).missing
    note = other_categories(source, ("upper",))
    assert note == "4 of 6 pairs have a category that this model was not trained on; it was trained on upper."
    assert other_categories(source, ("upper", "lower", "full")) is None


def test_street_photos_have_no_garments_and_get_a_canvas_of_their_own(tmp_path: Path) -> None:
    write_fixture("streettryon", tmp_path / "street", 2, 50, SIZE)
    source = build_source(DataSetConfig(str(tmp_path / "street"), split="test"))
    run(source, tmp_path / "out", Colours())
    names = file_names(source)
    images = [pixels(tmp_path / "out" / f"{name}.png") for name in names]
    for index, image in enumerate(images):
        assert np.array_equal(image, without_padding(square(index), WITHOUT_GARMENTS))


# by command ------------------------------------------------------------------------------------------------------


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def baseline(name: str, viton: Path, weights: Path, out: Path, *more: object) -> Result:
    options = ("--weights", weights, "--out", out, "--device", "cpu", "--steps", 2, "--limit", 2)
    return invoke("baseline", name, viton, *options, *more)


def test_tryoffdiff_from_a_data_set_to_its_scores(viton: Path, tryoffdiff_weights: Path, tmp_path: Path) -> None:
    done = baseline("tryoffdiff", viton, tryoffdiff_weights, tmp_path / "out")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "Licences of the weights:" and "Server Side Public License (SSPL)" in lines[1]
    assert lines[-1] == "2 restored, 0 already done, 0 failed."
    images = {path.stem: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    assert len(images) == 2 and pixels(tmp_path / "out" / f"{min(images)}.png").shape == (SIZE[1], SIZE[0], 3)
    settings = json.loads((tmp_path / "out" / NAME).read_text())
    assert (settings["method"], settings["steps"], settings["guidance"], settings["seed"]) == ("tryoffdiff", 2, 2.0, 42)
    assert str(tmp_path) not in json.dumps(settings) and str(viton.parent) not in json.dumps(settings)

    single = baseline("tryoffdiff", viton, tryoffdiff_weights, tmp_path / "single", "--batch", 1)
    assert single.exit_code == 0
    for name in images:
        one, other = (
            np.asarray(Image.open(tmp_path / folder / f"{name}.png")).astype(int) for folder in ("out", "single")
        )
        assert np.abs(one - other).max() <= 2

    words = ["--generated", tmp_path / "out", "--reference", viton / "test" / "cloth", "--protocol", "native"]
    scored = invoke("evaluate", "score", *words, "--metrics", "masked_l1,texture_agreement", "--skip-bad")
    assert scored.exit_code == 0, scored.output
    assert "out: 2 images, protocol native" in scored.output


def test_tryoffdiff_v2_with_the_model_of_one_category(viton: Path, tryoffdiff_v2_weights: Path, tmp_path: Path) -> None:
    missing = baseline("tryoffdiff_v2", viton, tryoffdiff_v2_weights, tmp_path / "out", "--variant", "dress")
    assert missing.exit_code == 1 and "tryoffdiffv2_dress.pth does not exist: download it from" in missing.stderr
    assert not (tmp_path / "out").exists()
    done = baseline("tryoffdiff_v2", viton, tryoffdiff_v2_weights, tmp_path / "out")
    assert done.exit_code == 0 and "2 restored" in done.stdout, done.output


def test_tryoffanyone_with_its_parser_and_with_masks(viton: Path, tryoffanyone_weights: Path, tmp_path: Path) -> None:
    done = baseline("tryoffanyone", viton, tryoffanyone_weights, tmp_path / "parsed")
    assert done.exit_code == 0 and "segformer_b3_clothes: MIT" in done.stdout, done.output
    names = sorted(path.stem for path in (tmp_path / "parsed").glob("*.png"))
    (tmp_path / "masks").mkdir()
    Image.new("L", SIZE, 255).save(tmp_path / "masks" / f"{names[0]}.png")
    given = baseline("tryoffanyone", viton, tryoffanyone_weights, tmp_path / "given", "--masks", tmp_path / "masks")
    assert given.exit_code == 1 and "1 restored, 0 already done, 1 failed." in given.stdout
    assert f"Failed: {names[1]}: " in given.stderr and f"has no mask named {names[1]}" in given.stderr
    assert "segformer" not in given.stdout  # the parser is not needed, so its licence does not matter
