"""Grouping rows into garments, and naming them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from igr_core.catalogue.table.items import Item, Photo, items_of
from igr_core.catalogue.table.rows import Row


def test_several_garments_of_a_photo_are_several_items_named_by_category() -> None:
    found = items_of([Row(1, "p/a.jpg", category="upper"), Row(2, "p/a.jpg", category="lower"), Row(3, "b.jpg")])
    assert [(item.name, item.category) for item in found.items] == [
        ("a-upper", "upper"),
        ("a-lower", "lower"),
        ("b", "auto"),
    ]
    assert not found.failed


def test_several_photos_of_a_garment_are_one_item() -> None:
    rows = [
        Row(1, "front.jpg", garment="7", category="upper"),
        Row(2, "other.jpg"),
        Row(3, "back.jpg", "back.png", garment="7"),
    ]
    found = items_of(rows, "lower")
    assert found.items == (
        Item("7", "upper", (Photo("front.jpg"), Photo("back.jpg", "back.png"))),
        Item("other", "lower", (Photo("other.jpg"),)),
    )


def test_an_explicit_name_takes_precedence() -> None:
    found = items_of([Row(1, "a.jpg", garment="7"), Row(2, "b.jpg", garment="7", name="coat")])
    assert [item.name for item in found.items] == ["coat"]


@pytest.mark.parametrize("box", ["1 2 30.5 40", "1, 2, 30.5, 40", "[1,2,30.5,40]", "(1;2;30.5;4e1)"])
def test_a_box_is_read_in_all_common_notations(box: str) -> None:
    (item,) = items_of([Row(1, "a.jpg", box=box, category="full")]).items
    assert item.photos == (Photo("a.jpg", box=(1.0, 2.0, 30.5, 40.0)),)


def test_categories_may_be_written_in_capitals() -> None:
    first, second = Row(1, "a.jpg", "m.png", category="UPPER", garment="g"), Row(2, "b.jpg", "m.png", category="upper")
    (item,) = items_of([first, replace(second, garment="g")]).items
    assert item.category == "upper" and len(item.photos) == 2


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (Row(1, ""), "The row has no photo: add its path."),
        (Row(1, "a.jpg", category="shirt"), "The category is 'shirt': use upper, lower, full or auto."),
        (Row(1, "a.jpg", "m.png"), "The row has a mask, but no category"),
        (Row(1, "a.jpg", box="1 2 3 4"), "The row has a box, but no category"),
        (Row(1, "a.jpg", "m.png", category="auto"), "The row has a mask, but the category auto: set its category"),
        (Row(1, "a.jpg", "m.png", "1 2 3 4", "upper"), "The row has a mask and a box: keep one of them."),
        (Row(1, "a.jpg", box="1 2 3", category="upper"), "The box '1 2 3' is not valid: use four numbers in pixels"),
        (Row(1, "a.jpg", name="../a"), "'../a' cannot be used as a file name"),
        (Row(1, "a.jpg", name=".hidden"), "'.hidden' cannot be used as a file name"),
        (Row(1, "a.jpg", name="a" * 121), "is 121 bytes, but can be at most 120: use a shorter one"),
        (Row(1, "a.jpg", name="row 7"), "'row 7' cannot be used as a file name"),
        (Row(1, "a.jpg", name="NUL"), "'NUL' cannot be used as a file name"),
        (Row(1, "caf\udce9.jpg"), "The path of the photo or its mask is not valid UTF-8: rename the file"),
        (Row(1, "a.jpg", error="It is odd: look."), "It is odd: look."),
        (Row(1, "a.jpg", garment="a\nb"), "cannot be used as a file name"),
    ],
)
def test_a_row_that_is_not_valid_fails_alone(row: Row, sentence: str) -> None:
    found = items_of([row, Row(2, "good.jpg")])
    assert [item.name for item in found.items] == ["good"]
    assert list(found.failed) == ["row 1"] and found.failed["row 1"][0] == row.photo
    assert sentence in found.failed["row 1"][1]


def test_rows_of_a_garment_must_agree() -> None:
    found = items_of([Row(1, "a.jpg", garment="7", category="upper"), Row(2, "b.jpg", garment="7", category="full")])
    assert (
        found.failed["row 1"][1]
        == "The rows of the garment have the categories full, upper: use the same one in all of them."
    )
    found = items_of([Row(number, f"{number}.jpg", garment="7") for number in range(1, 10)])
    assert found.failed["row 1"][1] == "The garment has 9 photos, but can have at most 8: remove some rows."


def test_messages_about_a_folder_mention_no_columns() -> None:
    rows = [
        Row(1, "a" * 130 + ".jpg", name="a" * 130),
        Row(2, "m.jpg", "m.png", name="m"),
        *(Row(number, f"b__{number}.jpg", name="b", garment="b") for number in range(3, 12)),
        Row(20, "c.jpg", name="c"),
        Row(21, "C.jpg", name="C"),
    ]
    failed = {name: error for name, (_, error) in items_of(rows, in_folder=True).failed.items()}
    assert "is 130 bytes, but can be at most 120: rename the photo." in failed["row 1"]
    assert failed["row 2"] == "The row has a mask, but no category: use --category upper, lower or full."
    assert failed["row 3"] == "The garment has 9 photos, but can have at most 8: remove some of them."
    assert failed["row 21"].endswith("row 20, C: rename one of the photos.")


def test_names_that_are_the_same_on_some_disks_clash() -> None:
    found = items_of([Row(1, "p/coat.jpg"), Row(2, "q/Coat.jpg", name="Coat"), Row(3, "c.jpg", name="other")])
    assert [item.name for item in found.items] == ["coat", "other"]
    assert "would overwrite the files for row 1, Coat: give one of the rows another name" in found.failed["row 2"][1]


def test_a_changed_row_has_other_inputs() -> None:
    rows = [
        Row(1, "a.jpg", "m.png", category="upper"),
        Row(1, "b.jpg", "m.png", category="upper"),
        Row(1, "a.jpg", "n.png", category="upper"),
        Row(1, "a.jpg", "m.png", category="lower"),
        Row(1, "a.jpg", box="1 2 3 4", category="upper"),
        Row(1, "a.jpg", box="1 2 3 5", category="upper"),
    ]
    inputs = [items_of([row]).items[0].inputs for row in rows]
    assert len(set(inputs)) == len(rows)
    assert items_of([Row(9, "a.jpg", "m.png", category="upper", name="other")]).items[0].inputs == inputs[0]


def test_inputs_do_not_change_when_the_folder_of_the_table_is_moved() -> None:
    def inputs(folder: str, *paths: str) -> str:
        rows = [Row(number, path, garment="g") for number, path in enumerate(paths)]
        return items_of(rows, folder=str(Path(folder))).items[0].inputs

    def inside(folder: str, name: str = "a.jpg") -> str:
        return os.path.join(Path(folder), name)

    assert inputs("/old", inside("/old"), "/b.jpg") == inputs("/new", inside("/new"), "/b.jpg")
    assert inputs("/old", inside("/old")) != inputs("/new", inside("/new", "b.jpg"))
    assert inputs("/old", "/older/a.jpg") != inputs("/new", "/newer/a.jpg"), "outside the folder"
    assert inputs("/old", "s3://shop/a.jpg") == inputs("/new", "s3://shop/a.jpg")


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ("x:177 y:210 w:286 h:360", "is not valid: use four numbers in pixels"),
        ("31% 27% 80% 74%", "is not valid: use four numbers in pixels"),
        ("10px 20px 50px 80px", "is not valid: use four numbers in pixels"),
        ("0.31 0.27 0.80 0.74", "(0.31, 0.27, 0.8, 0.74) is less than 2 pixels wide or high: specify its left, top"),
        ("177 210 100 360", "is less than 2 pixels wide or high"),
    ],
)
def test_a_box_in_another_notation_is_refused(box: str, sentence: str) -> None:
    found = items_of([Row(1, "a.jpg", box=box, category="upper")])
    assert not found.items and sentence in found.failed["row 1"][1]


def test_a_backslash_is_only_refused_in_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    if os.sep != "/":
        pytest.skip("backslashes separate folders on this system")
    there = tmp_path / "a\\b.png"
    there.touch()
    found = items_of([Row(1, str(there), name="a"), Row(2, "p\\b.jpg"), Row(3, "c.jpg", "m\\c.png", category="upper")])
    assert [item.name for item in found.items] == ["a"]
    assert found.failed["row 2"][1] == "The path p\\b.jpg has backslashes: use / between its folders."
    assert found.failed["row 3"][1] == "The path m\\c.png has backslashes: use / between its folders."
