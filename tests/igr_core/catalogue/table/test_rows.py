"""Tables: what a row means in each kind of file."""

from pathlib import Path
from unicodedata import normalize

import pytest

from igr_core.catalogue.table.items import items_of
from igr_core.catalogue.table.rows import Row, read_table
from igr_core.errors import IGRError
from igr_core.restore.pairing import one_category, pair_by_name
from igr_core.storage import Folder


def write_csv(folder: Path, text: str, name: str = "table.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_paths_are_relative_to_the_table_and_others_are_kept(tmp_path: Path) -> None:
    table = write_csv(tmp_path, "\ufeffphoto, mask ,price\na.jpg,m/a.png,1\n/b.jpg,,2\ns3://shop/c.jpg,,\n")
    found = read_table(table)
    assert found.rows == (
        Row(1, f"{tmp_path}/a.jpg", f"{tmp_path}/m/a.png"),
        Row(2, "/b.jpg"),
        Row(3, "s3://shop/c.jpg"),
    )
    assert found.unused == ("price",)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_separators_of_other_countries_are_understood(tmp_path: Path, separator: str) -> None:
    lines = (("photo", "box", "name"), ("/a.jpg", "1 2 3 4", '"a, b"'))
    table = write_csv(tmp_path, "".join(separator.join(cells) + "\r\n" for cells in lines))
    assert read_table(table).rows == (Row(1, "/a.jpg", box="1 2 3 4", name="a, b"),)


def test_the_separator_is_the_one_that_splits_the_header_into_its_columns(tmp_path: Path) -> None:
    table = write_csv(tmp_path, 'photo;"colour, size, fit, price"\n/a.jpg;"red, 38"\n')
    found = read_table(table)
    assert found.rows == (Row(1, "/a.jpg"),) and found.unused == ("colour, size, fit, price",)
    assert read_table(write_csv(tmp_path, 'photo,"a;b;c"\n/a.jpg,1\n')).rows == (Row(1, "/a.jpg"),)


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_the_first_line_of_excel_names_the_separator(tmp_path: Path, first: str) -> None:
    assert read_table(write_csv(tmp_path, f"\ufeff{first}photo;name\n/a.jpg;anna\n")).rows == (
        Row(1, "/a.jpg", name="anna"),
    )


def test_a_table_in_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("photo\tname\r\n/a.jpg\tännä\r\n".encode("utf-16"))
    assert read_table(str(tmp_path / "table.csv")).rows == (Row(1, "/a.jpg", name="ännä"),)


@pytest.mark.parametrize(("written", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_photo_is_found_by_the_other_unicode_form_of_its_name(tmp_path: Path, written: str, on_disk: str) -> None:
    name = normalize(on_disk, "fotos-ü/ännä é.jpg")
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).touch()
    cell, gone = (normalize(written, one) for one in ("fotos-ü/ännä é.jpg", "fotos-ü/é.jpg"))
    rows = read_table(write_csv(tmp_path, f"photo\n{cell}\n{tmp_path}/{cell}\n{gone}\n")).rows
    assert [Path(row.photo).exists() for row in rows] == [True, True, False]
    assert rows[2].photo == f"{tmp_path}/{gone}"


def test_a_folder_of_parquet_files_is_named(tmp_path: Path) -> None:
    for name in ("_SUCCESS", "part-00000.snappy.parquet"):
        (tmp_path / "table.parquet").mkdir(exist_ok=True)
        (tmp_path / "table.parquet" / name).touch()
    with pytest.raises(
        IGRError, match=r"table\.parquet is a folder of Parquet files, as Spark and Dask write them: choose"
    ):
        read_table(str(tmp_path / "table.parquet"))
    pytest.importorskip("fsspec", reason="only the extra `catalogue` reads URLs")
    Folder("memory://spark/table.parquet").write("part-0.parquet", b"1")
    with pytest.raises(IGRError, match=r"memory://spark/table\.parquet is a folder of Parquet files"):
        read_table("memory://spark/table.parquet")


def test_a_parquet_column_that_does_not_contain_paths_is_named_with_its_type(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="only the extra `catalogue` reads Parquet")
    from pyarrow import parquet

    path = tmp_path / "table.parquet"
    text = pyarrow.array(["a.jpg"])
    for column in (text, text.dictionary_encode(), text.cast(pyarrow.large_string())):
        parquet.write_table(pyarrow.table({"photo": column}), path)
        assert read_table(str(path)).rows == (Row(1, f"{tmp_path}/a.jpg"),)
    for values, kind in (([b"\xff\xd8"], "binary"), ([{"path": "a.jpg"}], "struct<path: string>")):
        parquet.write_table(pyarrow.table({"Photo": values}), path)
        with pytest.raises(
            IGRError, match=f"The column photo of .*table.parquet has the type {kind}, but must contain"
        ):
            read_table(str(path))
        parquet.write_table(pyarrow.table({"photo": ["a.jpg"], "mask": values}), path)
        with pytest.raises(IGRError, match=f"The column mask of .* has the type {kind}"):
            read_table(str(path))


def test_a_table_in_the_current_folder_has_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path, "photo\na.jpg\n")
    assert read_table("table.csv").rows == (Row(1, "a.jpg"),)


def test_a_parquet_file_means_the_same_as_a_csv_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="only the extra `catalogue` reads Parquet")
    from pyarrow import parquet

    columns = {"photo": ["a.jpg", "b.jpg"], "box": [[1, 2, 30, 40], None], "garment": [7.0, None], "sku": [1, 2]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")
    table = write_csv(tmp_path, "photo,box,garment,sku\na.jpg,1 2 30 40,7,1\nb.jpg,,,2\n")
    assert read_table(str(tmp_path / "table.parquet")) == read_table(table)


def test_a_table_at_a_url_has_photos_beside_it() -> None:
    pytest.importorskip("fsspec", reason="only the extra `catalogue` reads URLs")
    Folder("memory://shop").write("table.csv", b"photo\nphotos/a.jpg\n")
    assert read_table("memory://shop/table.csv").rows == (Row(1, "memory://shop/photos/a.jpg"),)


def test_photos_of_a_folder_are_matched_with_masks_and_with_their_garment(tmp_path: Path) -> None:
    for name in ("Anna.jpg", "anna__2.png", "anna__10.png", "bert.jpg", "bert.png", "notes.txt", "raw.CR2"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / name).touch()
    (tmp_path / "masks").mkdir()
    for name in ("anna.png", "bert.png", "bert.webp"):
        (tmp_path / "masks" / name).touch()
    without, several = (
        "The photo has no mask: put {}.png into {}.",
        ("The photo has several masks (bert.png and bert.webp): keep one of them."),
    )
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    rows = read_table(str(photos), str(masks)).rows
    assert rows == (
        Row(1, f"{photos}/Anna.jpg", f"{masks}/anna.png", name="Anna", garment="Anna"),
        Row(2, f"{photos}/anna__2.png", name="Anna", garment="Anna", error=without.format("anna__2", masks)),
        Row(3, f"{photos}/anna__10.png", name="Anna", garment="Anna", error=without.format("anna__10", masks)),
        Row(4, f"{photos}/bert.jpg", name="bert", garment="bert", error=several),
        Row(5, f"{photos}/bert.png", name="bert", error=several),
        Row(6, f"{photos}/raw.CR2", error=".cr2 images are not supported: save the photo as a PNG or JPEG."),
    )
    assert read_table(str(photos)).ignored == ()
    assert [row.error for row in read_table(str(photos)).rows[:4]] == [""] * 4  # masks are found


def test_masks_are_those_that_the_command_restore_takes(tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    for folder, names in ((photos, ("Anna.jpg", "anna.jpg", "bob.jpg")), (masks, ("anna.png", "Bob.psd"))):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    if len(list(photos.iterdir())) < 3:
        pytest.skip("this file system does not distinguish case")
    rows = read_table(str(photos), str(masks)).rows
    paired = pair_by_name(photos, masks, one_category("upper"))
    assert {Path(row.photo).name: row.mask for row in rows if row.mask} == {"anna.jpg": str(masks / "anna.png")}
    assert {pair.photo.name: str(pair.mask) for pair in paired.pairs} == {"anna.jpg": str(masks / "anna.png")}
    assert {Path(row.photo).name: row.error for row in rows if row.error} == paired.failed
    assert paired.failed["bob.jpg"] == "The mask Bob.psd has an unsupported file type: save it as bob.png."


def test_the_folder_that_may_be_moved_is_that_of_the_table_or_of_the_photos_and_the_masks_beside_them(
    tmp_path: Path,
) -> None:
    for name in ("p/photos", "p/masks", "masks"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.png").touch()
    photos = str(tmp_path / "p" / "photos")
    assert read_table(write_csv(tmp_path, "photo\na.jpg\n")).folder == str(tmp_path)
    assert read_table(photos).folder == read_table(photos, str(tmp_path / "masks")).folder == photos
    assert read_table(photos, str(tmp_path / "p" / "masks")).folder == str(tmp_path / "p")


def test_folders_and_hidden_files_beside_the_photos_are_not_mentioned(tmp_path: Path) -> None:
    for name in ("anna.jpg", "IMG_1", "readme.docx", ".hidden", "._raw.CR2", "Thumbs.db", "list.csv"):
        (tmp_path / name).touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "shoot.raw").mkdir()
    found = read_table(str(tmp_path))
    assert found.ignored == ("IMG_1", "readme.docx") and found.in_folder and len(found.rows) == 1
    (tmp_path / "anna.jpg").rename(tmp_path / "anna.psd")
    assert [row.error[:4] for row in read_table(str(tmp_path)).rows] == [".psd"]


def test_columns_may_differ_in_case(tmp_path: Path) -> None:
    found = read_table(write_csv(tmp_path, "Photo,MASK,Price\n/a.jpg,/m.png,1\n"))
    assert found.rows == (Row(1, "/a.jpg", "/m.png"),) and found.unused == ("Price",)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="only the extra `catalogue` reads Parquet")
    from pyarrow import parquet

    sentence = "has several columns named mask: keep one of them"
    for header in ("photo,mask,mask", "photo,mask, Mask ", "MASK,photo,mask"):
        with pytest.raises(IGRError, match=rf"table\.csv {sentence}"):
            read_table(write_csv(tmp_path, f"{header}\na.jpg,b.png,c.png\n"))
    for names in (["photo", "mask", "mask"], ["photo", "mask", "Mask"]):
        table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 3, names=names)
        parquet.write_table(table, tmp_path / "table.parquet")
        with pytest.raises(IGRError, match=rf"table\.parquet {sentence}"):
            read_table(str(tmp_path / "table.parquet"))
    assert len(read_table(write_csv(tmp_path, "photo,price,price\na.jpg,1,2\n")).rows) == 1  # these are not used


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("image\na.jpg\n", "has the columns image, but not photo: rename the column with the photo paths to photo"),
        ("", "has no columns: rename the column with the photo paths to photo"),
        ("photo\n", "has no rows below its header: add one row per garment"),
        ('photo\n"a.jpg\n', "cannot be read as a CSV file in UTF-8"),
    ],
)
def test_a_table_that_is_not_valid_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(IGRError, match=sentence):
        read_table(write_csv(tmp_path, text))


def test_a_parquet_file_that_is_not_valid_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="only the extra `catalogue` reads Parquet")
    with pytest.raises(IGRError, match="cannot be read as a Parquet file"):
        read_table(write_csv(tmp_path, "photo\n", "table.parquet"))


def test_a_workbook_is_named_as_such_with_any_extension(tmp_path: Path) -> None:
    sentence = "is an Excel or OpenDocument workbook, not a CSV file: save the table as CSV in UTF-8"
    for name in ("table.xlsx", "table.csv", "table.ODS"):
        (tmp_path / name).write_bytes(b"PK\x03\x04" + bytes(9))
        with pytest.raises(IGRError, match=f"{name} {sentence}"):
            read_table(str(tmp_path / name))
    with pytest.raises(IGRError, match=r"gone\.xlsx does not exist"):
        read_table(str(tmp_path / "gone.xlsx"))


def test_a_source_that_is_neither_a_table_nor_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="does not exist: specify a table or a folder of photos"):
        read_table(str(tmp_path / "gone"))
    with pytest.raises(IGRError, match="is not a .csv or .parquet table or a folder"):
        read_table(write_csv(tmp_path, "photo\n", "table.xlsx"))
    with pytest.raises(IGRError, match=r"gone\.csv does not exist: check the path"):
        read_table(str(tmp_path / "gone.csv"))


def test_an_empty_folder_and_masks_for_a_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="has no images: choose another folder, or a .csv or .parquet table"):
        read_table(str(tmp_path))
    with pytest.raises(IGRError, match="--masks only works with a folder of photos: add a mask column"):
        read_table(write_csv(tmp_path, "photo\na.jpg\n"), str(tmp_path))


def test_a_second_file_of_a_photo_is_refused_and_is_no_garment_of_its_own(tmp_path: Path) -> None:
    """As in `restore`, for first and further photos."""
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    for folder, names in (
        (photos, ("anna.jpg", "anna__2.jpg", "anna__2.webp", "bert.jpg", "bert.png")),
        (masks, ("anna.png", "anna__2.png", "bert.png")),
    ):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    table = read_table(str(photos), str(masks))
    found = items_of(table.rows, "upper", in_folder=True)
    assert [(item.name, len(item.photos)) for item in found.items] == [("anna", 2), ("bert", 1)]
    failed = {Path(photo).name: error for photo, error in found.failed.values()}
    assert failed == pair_by_name(photos, masks, one_category("upper")).failed and list(failed) == [
        "anna__2.webp",
        "bert.png",
    ]


def test_blank_rows_are_left_out_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="only the extra `catalogue` reads Parquet")
    from pyarrow import parquet

    table = write_csv(tmp_path, "photo;sku\n;\n/a.jpg;1\n ; ;\n;7\n;;\n")
    assert read_table(table).rows == (Row(2, "/a.jpg"), Row(4, ""))
    columns = {"photo": [None, "/a.jpg", "", None], "sku": [None, 1, None, 7]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")
    assert read_table(str(tmp_path / "table.parquet")).rows == (Row(2, "/a.jpg"), Row(4, ""))
    with pytest.raises(IGRError, match="has no rows below its header"):
        read_table(write_csv(tmp_path, "photo,mask\n,\n"))


def test_a_row_with_more_cells_than_the_header_is_an_error_of_this_row(tmp_path: Path) -> None:
    table = write_csv(tmp_path, "photo,name\na.png,coat\nb.png,coat, red\nc.png,shirt,,\n")
    first, second, third = read_table(table).rows
    assert not first.error and not third.error, "empty cells at the end are common"
    assert second.error == (
        "The row has more cells than the header: put cells that contain the separator in quotation marks."
    )


def test_a_column_without_a_name_is_not_mentioned(tmp_path: Path) -> None:
    assert read_table(write_csv(tmp_path, "photo,price, ,\n/a.jpg,1,,\n")).unused == ("price",)
    with pytest.raises(IGRError, match="has the columns image, but not photo"):
        read_table(write_csv(tmp_path, "image,\na.jpg,\n"))
