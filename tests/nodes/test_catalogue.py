"""A folder of photos with masks, and output: remaining photos, skipped photos with their reasons, and permitted
locations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.support.nodes.pack import part

catalogue = part("nodes.photos.catalogue")
IGRError = part("igr_core.errors").IGRError
SIZE = (30, 40)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An input folder with photos and masks of anna and bert, and an empty output folder."""
    for name in ("input/photos", "input/masks", "output"):
        (tmp_path / name).mkdir(parents=True)
    put(tmp_path, "anna")
    put(tmp_path, "bert")
    return tmp_path


def put(root: Path, name: str, ending: str = ".png", mask: tuple[int, int] = SIZE) -> None:
    Image.new("RGB", SIZE, "grey").save(root / "input" / "photos" / f"{name}{ending}")
    picture = Image.new("L", mask)
    picture.paste(255, (5, 5, mask[0] - 5, mask[1] - 5))
    picture.save(root / "input" / "masks" / f"{name}.png")


def save(root: Path, name: str) -> None:
    """A file as written by Save Image."""
    path = root / "output" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def opened(root: Path, save_to: str = "garments/", photos: str = "photos", masks: str = "masks") -> Any:
    return catalogue.open_catalogue(root / "input", photos, masks, root / "output", save_to)


def names(found: Any) -> list[str]:
    return [pair.photo.stem for pair in found.pairs]


def loaded(found: Any, wanted: int = 100) -> tuple[list[Any], dict[str, str], list[int]]:
    shown: list[int] = []
    return *catalogue.load_photos(found, wanted, shown.append), shown


def test_all_pairs_remain_if_nothing_is_saved(root: Path) -> None:
    found = catalogue.left_to_do(opened(root), "upper", again=False)
    assert names(found) == ["anna", "bert"] and found.failed == {} and found.done == 0


@pytest.mark.parametrize(
    ("save_to", "saved"),
    [
        ("garments/", "garments/anna_00001_.png"),
        ("garments/", "garments/anna_00012_.WEBP"),
        ("", "anna_00001_.png"),
        ("new-", "new-anna_00001_.png"),
        ("a/b/new-", "a/b/new-anna_00001_.jpg"),
    ],
)
def test_a_saved_garment_is_done(root: Path, save_to: str, saved: str) -> None:
    save(root, saved)
    found = catalogue.left_to_do(opened(root, save_to), "upper", again=False)
    assert names(found) == ["bert"] and found.done == 1
    assert names(catalogue.left_to_do(opened(root, save_to), "upper", again=True)) == ["anna", "bert"]


@pytest.mark.parametrize(
    "saved", ["garments/anna.png", "garments/anna_00001_.txt", "other/anna_00001_.png", "anna_1.png"]
)
def test_files_with_other_names_or_locations_do_not_count_as_done(root: Path, saved: str) -> None:
    save(root, saved)
    assert names(catalogue.left_to_do(opened(root), "upper", again=False)) == ["anna", "bert"]


def test_no_photos_remaining_is_not_an_error(root: Path) -> None:
    for name in ("anna", "bert"):
        save(root, f"garments/{name}_00001_.png")
    found = catalogue.left_to_do(opened(root), "upper", again=False)
    assert names(found) == [] and found.done == 2
    assert loaded(found) == ([], {}, [0])


def test_photos_without_a_folder_of_masks_have_the_placeholder_mask(root: Path) -> None:
    put(root, "anna", ".webp")
    photos, failed, _ = loaded(catalogue.left_to_do(opened(root, masks=catalogue.NO_MASKS), "full", again=False))
    assert [(one.name, one.category) for one in photos] == [("anna", "full"), ("bert", "full")]
    assert all(one.mask.shape == (1, 64, 64) and not one.mask.any() and one.warnings == () for one in photos)
    assert "same name as anna.png" in failed["anna.webp"]


@pytest.mark.parametrize("category", ["upper", catalogue.FROM_TABLE])
def test_the_examples_are_a_folder_without_masks(root: Path, category: str) -> None:
    photos, failed, _ = loaded(catalogue.left_to_do(opened(root, photos=catalogue.SHIPPED), category, again=False))
    assert {one.name: one.category for one in photos}.items() >= {"full": "full", "lower": "lower"}.items()
    assert {one.name for one in photos} == {"upper", "upper_closeup", "lower", "full", "outfit"} and failed == {}
    save(root, "garments/full_00001_.png")
    found = catalogue.left_to_do(opened(root, photos=catalogue.SHIPPED), category, again=False)
    assert len(found.pairs) == 4 and found.done == 1


def test_photos_are_loaded_with_their_masks(root: Path) -> None:
    photos, failed, shown = loaded(catalogue.left_to_do(opened(root), "lower", again=False))
    assert [(one.name, one.category) for one in photos] == [("anna", "lower"), ("bert", "lower")]
    assert photos[0].person.shape == (1, 40, 30, 3) and photos[0].mask.shape == (1, 40, 30)
    assert torch.equal(photos[0].mask[0, 5:35, 5:25], torch.ones(30, 20)) and failed == {}
    assert shown == [0, 1, 2]


def test_a_failed_photo_does_not_count_towards_the_limit(root: Path) -> None:
    put(root, "anna", mask=(20, 20))
    put(root, "carl")
    photos, failed, _ = loaded(catalogue.left_to_do(opened(root), "upper", again=False), wanted=1)
    assert [one.name for one in photos] == ["bert"]
    assert list(failed) == ["anna.png"] and "resize the mask to 30×40" in failed["anna.png"]


def test_skipped_photos_are_named_with_the_reason(root: Path) -> None:
    put(root, "anna", ".webp")
    (root / "input" / "photos" / "bert.png").write_bytes(b"no picture")
    (root / "input" / "masks" / "anna.png").rename(root / "input" / "masks" / "other.png")
    put(root, "carl")
    photos, failed, _ = loaded(catalogue.left_to_do(opened(root), "upper", again=False))
    assert [one.name for one in photos] == ["carl"]
    assert "no mask" in failed["anna.png"] and "not a supported image" in failed["bert.png"]


def test_the_first_reasons_are_reported_if_no_photo_can_be_used(root: Path) -> None:
    for name in ("anna", "bert", "carl", "dora"):
        put(root, name, mask=(20, 20))
    with pytest.raises(IGRError, match="None of the remaining photos can be used. anna.png: .* 1 more failed."):
        loaded(catalogue.left_to_do(opened(root), "upper", again=False), wanted=1)


def test_categories_come_from_the_table(root: Path) -> None:
    with pytest.raises(IGRError, match="has no category.csv: add one with the columns name,category"):
        catalogue.left_to_do(opened(root), catalogue.FROM_TABLE, again=False)
    (root / "input" / "photos" / catalogue.TABLE).write_text("name,category\nanna,full\n", encoding="utf-8")
    found = catalogue.left_to_do(opened(root), catalogue.FROM_TABLE, again=False)
    assert [pair.category for pair in found.pairs] == ["full"] and list(found.failed) == ["bert.png"]


def test_links_that_lead_out_of_the_input_folder_are_not_read(root: Path) -> None:
    for place in ("photos", "masks"):
        outside = root / f"{place}.png"
        (root / "input" / place / "anna.png").rename(outside)
        (root / "input" / place / "anna.png").symlink_to(outside)
    photos, failed, _ = loaded(catalogue.left_to_do(opened(root), "upper", again=False))
    assert [one.name for one in photos] == ["bert"] and "is a link to a file outside" in failed["anna.png"]
    table = root / "table.csv"
    table.write_text("name,category\nbert,full\n", encoding="utf-8")
    (root / "input" / "photos" / catalogue.TABLE).symlink_to(table)
    with pytest.raises(IGRError, match="is a link to a file outside"):
        catalogue.left_to_do(opened(root), catalogue.FROM_TABLE, again=False)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"photos": "../output"}, "photos .*not a folder inside"),
        ({"photos": "/etc"}, "photos .*not a folder inside"),
        ({"masks": "mask"}, "masks .*is not in .*put the folder there"),
        ({"masks": "photos"}, "which is the photos folder: choose the folder that contains the masks"),
        ({"save_to": "../input/"}, "save_to .*points outside the output folder"),
        ({"save_to": "/garments/"}, "save_to .*points outside the output folder"),
        ({"save_to": "a\0b"}, "points outside the output folder"),
        ({"save_to": "%year%/"}, "save_to .*contains %"),
        ({"save_to": "caf\udce9/"}, "save_to 'caf.*/' is not valid text: use a prefix such as"),
    ],
)
def test_invalid_folders_and_prefixes_are_refused(root: Path, given: dict[str, str], sentence: str) -> None:
    with pytest.raises(IGRError, match=sentence):
        opened(root, **given)


def test_the_state_changes_with_files_and_finished_photos(root: Path) -> None:
    def state(again: bool = False) -> str:
        return catalogue.catalogue_state(opened(root), again)

    first = state()
    assert state() == first
    save(root, "garments/anna_00001_.png")
    second = state()
    assert second != first and state(again=True) == first
    save(root, "garments/stranger_00001_.png")
    assert state() == second
    put(root, "carl")
    assert state() != second


def test_names_that_save_image_would_change_are_named_and_the_others_go_on(root: Path) -> None:
    for name in ("a%width%b", "50% wool", "%year%"):
        put(root, name)
    found = catalogue.left_to_do(opened(root), "upper", False)
    assert names(found) == ["50% wool", "anna", "bert"]
    assert set(found.failed) == {"a%width%b.png", "%year%.png"}
    assert "rename the photo" in found.failed["%year%.png"]


def test_a_name_that_is_too_long_for_save_image_s_number_is_named(root: Path) -> None:
    put(root, "é" * 123)
    put(root, "é" * 122)
    found = catalogue.left_to_do(opened(root), "upper", False)
    assert list(found.failed.values()) == [
        "The photo's name is too long for Save Image to add a number to it: shorten it."
    ]
    assert names(found) == ["anna", "bert", "é" * 122]


def test_a_prefix_that_is_too_long_for_a_file_name_is_refused(root: Path) -> None:
    for long in ("x" * 300, "garments/" + "é" * 150, "y" * 300 + "/z"):
        with pytest.raises(IGRError, match="too long for a file name: use a prefix such as"):
            opened(root, long)
    assert opened(root, "/".join(["x" * 100] * 3)) is not None


def test_a_photo_that_is_transparent_under_its_mask_is_skipped(root: Path) -> None:
    photo = Image.new("RGBA", SIZE, (90, 60, 30, 255))
    photo.paste((90, 60, 30, 0), (0, 0, *SIZE))
    photo.save(root / "input" / "photos" / "anna.png")
    loaded, failed = catalogue.load_photos(catalogue.left_to_do(opened(root), "upper", False), 5, lambda _: None)
    assert [one.name for one in loaded] == ["bert"]
    assert "transparent where its mask is white" in failed["anna.png"]


@pytest.mark.parametrize("place", ["photos", "masks"])
def test_a_loop_of_links_does_not_lose_the_other_photos(root: Path, place: str) -> None:
    loop = root / "input" / place / "loop.png"
    loop.symlink_to(loop.name)
    found = opened(root)
    assert catalogue.catalogue_state(found, False)
    left = catalogue.left_to_do(found, "upper", False)
    loaded, failed = catalogue.load_photos(left, 5, lambda _: None)
    assert [one.name for one in loaded] == ["anna", "bert"]
    assert set(failed) <= {"loop.png"}
