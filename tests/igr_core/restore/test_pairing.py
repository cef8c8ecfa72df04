"""Photos, masks and categories are matched by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from igr_core.errors import IGRError, UsageError
from igr_core.restore.pairing import Pair, list_images, one_category, pair_by_name, read_categories
from igr_core.restore.planning import plan_jobs


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


def test_names_that_a_person_takes_for_the_same_belong_together(tmp_path: Path) -> None:
    names = ("Anna.JPG", "Zo\u00eb.jfif", "bert.png", "Bert.png", "carl.avif", "caf\udce9.gif")
    photos = touch(tmp_path / "photos", *names)
    masks = touch(tmp_path / "masks", "anna.PNG", "zoe\u0308.png", "bert.png", "CARL.Png", "caf\udce9.png")
    path = table(photos, "name,category\nANNA.jpg,lower\nzoe\u0308,full\nbert,upper\nBert,upper\ncarl.AVIF,upper\n")
    found = pair_by_name(photos, masks, one_category("upper"))
    assert {pair.photo.name: pair.mask.name for pair in found.pairs} == {
        "Anna.JPG": "anna.PNG",
        "Zo\u00eb.jfif": "zoe\u0308.png",
        "bert.png": "bert.png",
        "carl.avif": "CARL.Png",
        "caf\udce9.gif": "caf\udce9.png",
    }
    assert list(found.failed) == ["Bert.png"]  # bert.png is the mask of another photo
    category = read_categories(path)
    assert category(photos / "Anna.JPG") == "lower" and category(photos / "Zo\u00eb.jfif") == "full"


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    names = ("anna.png", "bert.CR2", "carl.psd", "d.mp4", "notes.txt", "Thumbs.db", ".hidden")
    photos = touch(tmp_path / "photos", *names)
    masks = touch(tmp_path / "masks", "anna.png", "bert.png")
    touch(photos / "inner", "e.png")
    found = pair_by_name(photos, masks, one_category("upper"))
    assert [pair.photo.name for pair in found.pairs] == ["anna.png"] and found.ignored == ("d.mp4",)
    assert list(found.failed) == ["bert.CR2", "carl.psd"]
    assert found.failed["carl.psd"] == ".psd images are not supported: save the photo as a PNG or JPEG."
    (photos / "anna.png").unlink()
    assert not pair_by_name(photos, masks, one_category("upper")).pairs


def test_a_photo_that_cannot_be_used_gets_its_sentence(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "anna.jpg", "anna.png", "bert.png", "carl.png", "dora.png")
    masks = touch(tmp_path / "masks", "anna.png", "carl.png", "dora.png")
    path = table(photos, "name,category\nanna.jpg,lower\nanna.png,lower\nbert,full\ncarl,coat\n")
    found = pair_by_name(photos, masks, read_categories(path), "It is {name} again.")
    assert found.pairs == (Pair(photos / "anna.jpg", masks / "anna.png", "lower"),)
    assert found.failed == {
        "anna.png": "It is anna.jpg again.",
        "bert.png": f"The photo has no mask: put bert.png into {masks}.",
        "carl.png": f"{path}, line carl.png: Unknown category 'coat': choose upper, lower or full.",
        "dora.png": f"The photo has no category: add the line dora.png,upper (or lower, full) to {path}.",
    }


def test_the_second_of_two_names_is_taken_when_the_first_has_no_category(tmp_path: Path) -> None:
    photos, masks = touch(tmp_path / "photos", "anna.jpg", "anna.png"), touch(tmp_path / "masks", "anna.png")
    found = pair_by_name(photos, masks, read_categories(table(photos, "name,category\nanna.png,full\n")))
    assert [pair.photo.name for pair in found.pairs] == ["anna.png"] and list(found.failed) == ["anna.jpg"]


def test_a_folder_without_images_is_reported(tmp_path: Path) -> None:
    photos, masks = touch(tmp_path / "photos", "notes.txt"), touch(tmp_path / "masks", "anna.png")
    with pytest.raises(IGRError, match="photos has no images .*: choose another folder"):
        pair_by_name(photos, masks, one_category("upper"))


def test_categories_by_full_name_by_stem_and_with_spaces(tmp_path: Path) -> None:
    of = read_categories(table(tmp_path, "note,name,category\nx, anna.jpg , lower\ny,carl,full\nz,bert\n"))
    assert of(Path("anna.jpg")) == "lower" and of(Path("carl.png")) == "full"
    with pytest.raises(IGRError, match="line bert.png: Unknown category ''"):
        of(Path("bert.png"))


def test_files_that_are_not_category_files(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="Unknown category 'shoes'"):
        one_category("shoes")
    with pytest.raises(IGRError, match="must be name,category"):
        read_categories(table(tmp_path, "anna,upper\n"))
    with pytest.raises(IGRError, match=r"category\.csv has several columns named category: keep one of them"):
        read_categories(table(tmp_path, "name,category,Category\nanna,upper,full\n"))
    with pytest.raises(IGRError, match="none.csv does not exist: specify a CSV file"):
        read_categories(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "data",
    [
        b"name;category\nanna;upper\nbert;full\n",
        b"Name\tCategory\r\nanna\tUpper\r\nbert\tfull\r\n",
        b"\xef\xbb\xbfname, category\nanna, upper\nbert, FULL\n",
        "name;category\nanna;upper\nbert;full\n".encode("utf-16"),
        b"category,name\nupper,anna,and,more\nfull,bert\n",
        b'name;"colour, size, price, and more";category\nanna;red;upper\nbert;blue;full\n',
        b"sep=;\r\nname;category\r\nanna;upper\r\nbert;full\r\n",
        b'"sep=|"\nname|category\nanna|upper\nbert|full\n',
    ],
    ids=["semicolons", "tabs", "blanks", "UTF-16", "another order", "commas in a title", "Excel's", "quoted"],
)
def test_tables_as_spreadsheets_save_them(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "category.csv").write_bytes(data)
    of = read_categories(tmp_path / "category.csv")
    assert of(Path("anna.jpg")) == "upper" and of(Path("bert.jpg")) == "full"


def test_a_table_in_another_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "category.csv").write_bytes("name,category\ncafé,upper\n".encode("latin-1"))
    with pytest.raises(IGRError, match="category.csv is not a UTF-8 text file: save the table as CSV in UTF-8"):
        read_categories(tmp_path / "category.csv")


def test_a_workbook_is_named_as_such_with_any_extension(tmp_path: Path) -> None:
    for name, start in (
        ("category.csv", b"PK\x03\x04"),
        ("a.xlsx", b"PK\x03\x04"),
        ("b.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ):
        (tmp_path / name).write_bytes(start + bytes(9))
        with pytest.raises(
            IGRError, match=f"{name} is an Excel or OpenDocument workbook, not a CSV file: save the tab"
        ):
            read_categories(tmp_path / name)
    photos, masks = touch(tmp_path / "photos", "anna.jpg"), touch(tmp_path / "masks", "anna.png")
    with pytest.raises(UsageError, match=r"a\.xlsx is an Excel or OpenDocument workbook"):
        plan_jobs(photos, masks, str(tmp_path / "a.xlsx"), tmp_path / "out", "RGB")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_accepted_as_a_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "category.csv")
    with pytest.raises(IGRError, match="category.csv is not a file: specify a CSV file"):
        read_categories(tmp_path / "category.csv")


def test_a_mask_may_have_the_extension_of_its_photo_before_its_own(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "anna.jpg", "bert.JPG", "carl.jpg", "carl.jpg.png", "dora.jpg", "e.jpg")
    masks = touch(
        tmp_path / "masks", "anna.jpg.png", "Bert.jpg.PNG", "carl.jpg.png", "dora.png", "dora.jpg.png", "e.jpg.psd"
    )
    found = pair_by_name(photos, masks, one_category("upper"))
    assert {pair.photo.name: pair.mask.name for pair in found.pairs} == {
        "anna.jpg": "anna.jpg.png",
        "bert.JPG": "Bert.jpg.PNG",
        "carl.jpg.png": "carl.jpg.png",
        "dora.jpg": "dora.png",
    }
    assert found.failed == {
        "carl.jpg": f"The photo has no mask: put carl.png into {masks}.",
        "e.jpg": "The mask e.jpg.psd has an unsupported file type: save it as e.png.",
    }


def test_a_mask_of_an_unsupported_type_is_named(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "anna.jpg", "bert.jpg", "carl.jpg")
    masks = touch(tmp_path / "masks", "Anna.psd", "bert.png", "carl.txt")
    found = pair_by_name(photos, masks, one_category("upper"))
    assert found.failed == {
        "anna.jpg": "The mask Anna.psd has an unsupported file type: save it as anna.png.",
        "carl.jpg": f"The photo has no mask: put carl.png into {masks}.",
    }


def test_a_name_that_is_listed_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    for second in ("ok,lower", " ok , upper"):
        path = table(tmp_path, f"name,category\nok,upper\nbert,upper\n{second}\n")
        with pytest.raises(IGRError, match="category.csv, line 4 lists ok a second time: remove one of the lines"):
            read_categories(path)
    of = read_categories(table(tmp_path, "name,category\nok,upper\n,\n,\n"))
    assert of(Path("ok.jpg")) == "upper"


def test_similar_names_with_different_categories_are_not_guessed(tmp_path: Path) -> None:
    of = read_categories(table(tmp_path, "name,category\nanna,upper\nAnna,lower\nbert,full\nBert,full\n"))
    assert of(Path("Anna.png")) == "lower" and of(Path("BERT.png")) == "full"
    with pytest.raises(IGRError, match="several categories for names like ANNA.png: add the photo's exact name"):
        of(Path("ANNA.png"))


def test_a_photo_whose_name_no_csv_can_contain_must_be_renamed(tmp_path: Path) -> None:
    of = read_categories(table(tmp_path, "name,category\nanna,upper\n"))
    with pytest.raises(IGRError, match="category.csv cannot contain its name: rename the photo"):
        of(Path("caf\udce9.png"))


def test_images_of_a_folder_are_its_own_sorted_and_never_hidden(tmp_path: Path) -> None:
    folder = touch(tmp_path / "a", "b.PNG", "a.webp", ".c.png", "notes.txt")
    touch(folder / "inner", "d.png")
    assert list_images(folder) == [folder / "a.webp", folder / "b.PNG"]


def test_a_loop_of_links_is_listed_with_the_others(tmp_path: Path) -> None:
    photos, masks = touch(tmp_path / "photos", "anna.png"), touch(tmp_path / "masks", "anna.png")
    (photos / "loop.png").symlink_to("loop.png")
    (masks / "other.png").symlink_to("other.png")
    found = pair_by_name(photos, masks, one_category("upper"))
    assert [pair.photo.name for pair in found.pairs] == ["anna.png"] and list(found.failed) == ["loop.png"]


def test_two_lines_that_give_one_photo_different_categories_are_refused(tmp_path: Path) -> None:
    of = read_categories(table(tmp_path, "name,category\nanna,upper\nanna.jpg,lower\nbert,full\nbert.jpg,full\n"))
    sentence = r"two categories for anna\.jpg, in the lines anna\.jpg and anna: remove one of the lines"
    with pytest.raises(IGRError, match=sentence):
        of(Path("anna.jpg"))
    with pytest.raises(IGRError, match="several categories for names like ANNA.JPG: add the photo's exact name"):
        of(Path("ANNA.JPG"))
    assert of(Path("anna.png")) == "upper" and of(Path("bert.jpg")) == "full"


@pytest.mark.parametrize(
    ("first", "second"), [("anna", "anna__2"), ("anna.jpg", "anna__3"), ("Anna", "anna__2.png"), ("anna__2", "anna")]
)
def test_two_photos_of_a_garment_with_different_categories_are_refused(tmp_path: Path, first: str, second: str) -> None:
    path = table(tmp_path, f"name,category\n{first},upper\n{second},lower\n")
    with pytest.raises(IGRError, match=f"the category upper for {first}, but lower for {second}, another photo of its"):
        read_categories(path)
    of = read_categories(table(tmp_path, f"name,category\n{first},upper\n{second},upper\nbert__2,full\nanna__1,full\n"))
    assert of(Path(f"{Path(second).stem}.png")) == "upper" and of(Path("bert__2.jpg")) == "full"


def test_lines_are_counted_from_the_first_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match=r"category\.csv, line 4 lists anna a second time"):
        read_categories(table(tmp_path, "sep=;\nname;category\nanna;upper\nanna;upper\n"))
