"""The three stages, with a tiny model: they write the same images as `restore`, and a garment that fails does not
affect others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from igr_core.catalogue.report.outcome import Outcome
from igr_core.catalogue.report.records import from_record
from igr_core.catalogue.settings import CatalogueSettings, Output
from igr_core.catalogue.stages.loading import Loading
from igr_core.catalogue.stages.restoring import Restored, Restoring
from igr_core.catalogue.stages.writing import Writing
from igr_core.catalogue.table.items import Item, Photo, items_of
from igr_core.catalogue.table.rows import read_table
from igr_core.outputs import CannotWrite
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from tests.support.catalogue.table import quick_settings, write_table
from tests.support.cli_kit import invoke, write_pair
from tests.support.models.tiny_parser import save_parser


def work(folder: Path, settings: CatalogueSettings, items: tuple[Item, ...]) -> dict[str, Outcome]:
    output = Output(str(folder / "out"))
    loaded = Loading(settings, output)(items)
    restored = Restoring(settings, output)(loaded)
    return {one.name: one for one in Writing(settings, output)(restored)}


def furthest(one: Path, other: Path) -> int:
    """The largest difference between two images, in levels of 255."""
    pixels = [np.asarray(Image.open(path), np.int32) for path in (one, other)]
    return int(np.abs(pixels[0] - pixels[1]).max())


def items_in(folder: Path, names: str, missing: str = "") -> tuple[Item, ...]:
    return items_of(read_table(str(write_table(folder, names, missing))).rows).items


def test_a_batch_writes_what_restore_writes_for_each_photo(tmp_path: Path, bundle: Path) -> None:
    found = work(tmp_path, quick_settings(bundle), items_in(tmp_path, "ab"))
    for name, evidence in (("a", tmp_path / "a_map.png"), ("b", tmp_path / "b_map.png")):
        photo, mask, own = tmp_path / f"photos/{name}.png", tmp_path / f"masks/{name}.png", tmp_path / f"{name}_own.png"
        words = ("restore", photo, "--mask", mask, "--category", "upper", "--out", own, "--evidence", evidence)
        assert invoke(*words, "--bundle", bundle, "--steps", 2, "--guidance", 1, "--precision", "fp32").exit_code == 0
        assert furthest(tmp_path / "out" / found[name].image, own) <= 1  # a batch may round differently
        assert furthest(tmp_path / "out" / found[name].evidence_map, evidence) <= 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        ".begun",
        ".records",
        "evidence",
        "garments",
        "thumbnails",
    }
    assert not list((tmp_path / "out" / ".begun").iterdir())
    (record,) = (tmp_path / "out" / ".records").iterdir()
    assert from_record(record.read_bytes(), "") == list(found.values()) and found["a"].status == "restored"


def test_a_garment_does_not_depend_on_its_batch(tmp_path: Path, bundle: Path) -> None:
    items = items_in(tmp_path, "abc")
    settings = quick_settings(bundle, evidence=False)
    settings = dataclasses.replace(
        settings, restore=dataclasses.replace(settings.restore, sampling=Sampling(2, 1.0, sampler="lcm"))
    )
    output = Output(str(tmp_path / "out"))
    loaded = Loading(settings, output)(items)
    together = {one.name: one.image for one in Restoring(settings, output)(loaded)}
    for one in loaded:
        (alone,) = Restoring(settings, output)([one])
        assert alone.image is not None and torch.allclose(alone.image, together[one.name], atol=1e-4)


def test_a_photo_that_cannot_be_read_fails_alone(tmp_path: Path, bundle: Path) -> None:
    found = work(tmp_path, quick_settings(bundle, evidence=False), items_in(tmp_path, "abc", "b"))
    assert [found[name].status for name in "abc"] == ["restored", "failed", "restored"]
    assert "b.png does not exist: check the path." in found["b"].error and not found["b"].image


def test_a_further_photo_that_cannot_be_read_is_left_out_with_a_warning(tmp_path: Path, bundle: Path) -> None:
    photo, mask = (str(path) for path in write_pair(tmp_path, "a.png"))
    item = Item("a", "upper", (Photo(photo, mask), Photo("gone.png", mask)))
    found = work(tmp_path, quick_settings(bundle), (item,))["a"]
    assert found.status == "restored" and found.photos == 1
    assert "Restored without gone.png: gone.png does not exist" in found.warnings


def test_masks_are_found_by_category(tmp_path: Path, bundle: Path) -> None:
    photo, _ = write_pair(tmp_path, "a.png")
    parser = save_parser(tmp_path / "parser", sees=("upper-clothes",))
    settings = quick_settings(bundle, parser=str(parser), finds_masks=True, parses=True)
    found = work(
        tmp_path, settings, (Item("a", "auto", (Photo(str(photo)),)), Item("b", "lower", (Photo(str(photo)),)))
    )
    assert (found["a"].status, found["a"].category) == ("restored", "upper")
    assert found["b"].status == "failed" and "lower" in found["b"].error


@pytest.mark.parametrize(
    ("error", "tried"),
    [(RuntimeError("odd"), [5, 1, 1, 1, 1, 1]), (MemoryError(), [5, 3, 2, 1, 1, 1, 1, 1])],
    ids=["any error", "out of memory"],
)
def test_a_batch_that_fails_is_restored_in_smaller_ones(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, tried: list[int]
) -> None:
    sample, sizes = GarmentRestorer.restore, []

    def restore(self: GarmentRestorer, view: object, category: list[str], *words: object, **more: object) -> Tensor:
        sizes.append(len(category))
        if len(category) > 1:
            raise error
        return sample(self, view, category, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(GarmentRestorer, "restore", restore)
    found = work(tmp_path, quick_settings(bundle, evidence=False), items_in(tmp_path, "abcde"))
    assert sizes == tried and {one.status for one in found.values()} == {"restored"}


def test_a_result_with_nan_fails_and_is_not_written(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GarmentRestorer, "restore", lambda *_, **__: torch.full((1, 3, 64, 48), torch.nan))
    found = work(tmp_path, quick_settings(bundle, evidence=False), items_in(tmp_path, "a"))
    assert found["a"].status == "failed" and "contains NaN or infinite values: try --device cpu" in found["a"].error
    assert found["a"].evidence is None and found["a"].agreement is None
    assert not (tmp_path / "out" / "garments").exists()


def test_garments_with_little_evidence_are_set_aside_and_move_back(tmp_path: Path, bundle: Path) -> None:
    output, image = Output(str(tmp_path / "out")), torch.rand(1, 3, 64, 48)
    item = Item("a", "upper", (Photo("a.png"),))
    for seen, folder, other in ((0.2, "set-aside", "garments"), (0.9, "garments", "set-aside")):
        settings = quick_settings(bundle, image_type="webp")
        settings = dataclasses.replace(settings, restore=dataclasses.replace(settings.restore, min_evidence=0.5))
        (found,) = Writing(settings, output)([Restored(item, "upper", image, image[:, :1], image, seen, 0.5)])
        assert found.image == f"{folder}/a.webp" and found.status == ("restored" if seen > 0.5 else "set aside")
        assert (tmp_path / "out" / found.image).is_file() and not (tmp_path / "out" / other / "a.webp").exists()
        with Image.open(tmp_path / "out" / found.image) as written:
            assert written.format == "WEBP"


def test_a_folder_that_cannot_be_written_to_ends_the_run(tmp_path: Path, bundle: Path) -> None:
    image, settings = torch.rand(1, 3, 64, 48), quick_settings(bundle)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "garments").touch()
    restored = Restored(Item("a", "upper", (Photo("a.png"),)), "upper", image, None, image)
    with pytest.raises(CannotWrite, match="garments"):
        Writing(settings, Output(str(tmp_path / "out")))([restored])
