"""Photos, masks and categories find each other by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.restore.pairing import Pair, list_images, one_category, pair_by_name, read_categories


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def table(folder: Path, text: str) -> Path:
    path = folder / "category.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_names_decide_and_not_the_order_of_the_files(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "dora.JPG", "anna.jpg", "b.side.webp", ".hidden.png", "notes.txt")
    masks = touch(tmp_path / "masks", "b.side.png", "anna.png", "other.png", "dora.png")
    found = pair_by_name(photos, masks, one_category("lower"))
    assert found.failed == {}
    assert found.pairs == (
        Pair(photos / "anna.jpg", masks / "anna.png", "lower"),
        Pair(photos / "b.side.webp", masks / "b.side.png", "lower"),
        Pair(photos / "dora.JPG", masks / "dora.png", "lower"),
    )


def test_a_photo_that_cannot_be_used_gets_its_sentence(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "anna.jpg", "anna.png", "bert.png", "carl.png", "dora.png")
    masks = touch(tmp_path / "masks", "anna.png", "carl.png", "dora.png")
    path = table(photos, "name,category\nanna.jpg,lower\nanna.png,lower\nbert,full\ncarl,coat\n")
    found = pair_by_name(photos, masks, read_categories(path), "It is {name} again.")
    assert found.pairs == (Pair(photos / "anna.jpg", masks / "anna.png", "lower"),)
    assert found.failed == {
        "anna.png": "It is anna.jpg again.",
        "bert.png": f"It has no mask: put bert.png into {masks}.",
        "carl.png": f"{path}, line carl.png: Unknown category 'coat': choose upper, lower or full.",
        "dora.png": f"It has no category: add the line dora.png,upper (or lower, full) to {path}.",
    }


def test_the_second_of_two_names_is_taken_when_the_first_has_no_category(tmp_path: Path) -> None:
    photos, masks = touch(tmp_path / "photos", "anna.jpg", "anna.png"), touch(tmp_path / "masks", "anna.png")
    found = pair_by_name(photos, masks, read_categories(table(photos, "name,category\nanna.png,full\n")))
    assert [pair.photo.name for pair in found.pairs] == ["anna.png"] and list(found.failed) == ["anna.jpg"]


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    photos, masks = touch(tmp_path / "photos", "notes.txt"), touch(tmp_path / "masks", "anna.png")
    with pytest.raises(IGRError, match="photos has no images .*: choose another folder"):
        pair_by_name(photos, masks, one_category("upper"))


def test_categories_by_full_name_by_stem_and_with_spaces(tmp_path: Path) -> None:
    of = read_categories(table(tmp_path, "note,name,category\nx, anna.jpg , lower\ny,anna,full\nz,bert\n"))
    assert of(Path("anna.jpg")) == "lower" and of(Path("anna.png")) == "full"
    with pytest.raises(IGRError, match="line bert.png: Unknown category ''"):
        of(Path("bert.png"))


def test_category_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="Unknown category 'shoes'"):
        one_category("shoes")
    with pytest.raises(IGRError, match="must be name,category"):
        read_categories(table(tmp_path, "anna,upper\n"))
    with pytest.raises(IGRError, match="none.csv cannot be read as a CSV file"):
        read_categories(tmp_path / "none.csv")


def test_pictures_of_a_folder_are_its_own_sorted_and_never_hidden(tmp_path: Path) -> None:
    folder = touch(tmp_path / "a", "b.PNG", "a.webp", ".c.png", "notes.txt")
    touch(folder / "inner", "d.png")
    assert list_images(folder) == [folder / "a.webp", folder / "b.PNG"]
