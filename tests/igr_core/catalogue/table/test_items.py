"""Grouping rows into garments, and naming them."""

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


def test_a_name_of_its_own_wins() -> None:
    found = items_of([Row(1, "a.jpg", garment="7"), Row(2, "b.jpg", garment="7", name="coat")])
    assert [item.name for item in found.items] == ["coat"]


@pytest.mark.parametrize("box", ["1 2 30.5 40", "1, 2, 30.5, 40", "[1,2,30.5,40]", "(1;2;30.5;4e1)"])
def test_a_box_is_read_in_every_usual_spelling(box: str) -> None:
    (item,) = items_of([Row(1, "a.jpg", box=box, category="full")]).items
    assert item.photos == (Photo("a.jpg", box=(1.0, 2.0, 30.5, 40.0)),)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (Row(1, ""), "The row has no photo: add its path."),
        (Row(1, "a.jpg", category="shirt"), "The category is 'shirt': use upper, lower, full or auto."),
        (Row(1, "a.jpg", "m.png"), "The row has a mask, but no category"),
        (Row(1, "a.jpg", box="1 2 3 4"), "The row has a box, but no category"),
        (Row(1, "a.jpg", "m.png", "1 2 3 4", "upper"), "The row has a mask and a box: keep one of them."),
        (Row(1, "a.jpg", box="1 2 3", category="upper"), "The box '1 2 3' is not valid: use four numbers in pixels"),
        (Row(1, "a.jpg", name="../a"), "The name '../a' cannot be used for files"),
        (Row(1, "a.jpg", name=".hidden"), "The name '.hidden' cannot be used for files"),
        (Row(1, "a.jpg", name="a" * 121), "The name has 121 bytes, but can have at most 120: use a shorter one"),
        (Row(1, "a.jpg", name="row 7"), "The name 'row 7' cannot be used for files"),
        (Row(1, "a.jpg", name="NUL"), "The name 'NUL' cannot be used for files"),
        (Row(1, "caf\udce9.jpg"), "The name of the photo or its mask is not valid UTF-8: rename the file."),
        (Row(1, "a.jpg", error="It is odd: look."), "It is odd: look."),
        (Row(1, "a.jpg", garment="a\nb"), "cannot be used for files"),
    ],
)
def test_a_row_that_is_not_valid_fails_alone(row: Row, sentence: str) -> None:
    found = items_of([row, Row(2, "good.jpg")])
    assert [item.name for item in found.items] == ["good"]
    assert list(found.failed) == ["row 1"] and found.failed["row 1"][0] == row.photo
    assert sentence in found.failed["row 1"][1]


def test_rows_of_a_garment_must_agree() -> None:
    found = items_of([Row(1, "a.jpg", garment="7", category="upper"), Row(2, "b.jpg", garment="7", category="full")])
    assert found.failed["row 1"][1] == "The garment has the categories full, upper: use the same in all of its rows."
    found = items_of([Row(number, f"{number}.jpg", garment="7") for number in range(1, 10)])
    assert found.failed["row 1"][1] == "The garment has 9 photos, but can have at most 8: remove some rows."


def test_names_that_are_the_same_on_some_disks_clash() -> None:
    found = items_of([Row(1, "p/coat.jpg"), Row(2, "q/Coat.jpg", name="Coat"), Row(3, "c.jpg", name="other")])
    assert [item.name for item in found.items] == ["coat", "other"]
    assert "would overwrite those of row 1, Coat: give one of the rows another name" in found.failed["row 2"][1]


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
