"""Tables: what a row means in each kind of file."""

from pathlib import Path

import pytest

from igr_core.catalogue.table.rows import Row, read_table
from igr_core.errors import IGRError
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
        ("The photo has the masks bert.png and bert.webp: keep one of them."),
    )
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    rows = read_table(str(photos), str(masks)).rows
    assert rows == (
        Row(1, f"{photos}/Anna.jpg", f"{masks}/anna.png", name="Anna", garment="Anna"),
        Row(2, f"{photos}/anna__2.png", name="Anna", garment="Anna", error=without.format("anna__2", masks)),
        Row(3, f"{photos}/anna__10.png", name="Anna", garment="Anna", error=without.format("anna__10", masks)),
        Row(4, f"{photos}/bert.jpg", name="bert", garment="bert", error=several),
        Row(5, f"{photos}/bert.png", name="bert", error=several),
        Row(
            6, f"{photos}/raw.CR2", error="Images of the type .cr2 are not supported: save the photo as a PNG or JPEG."
        ),
    )
    assert [row.error for row in read_table(str(photos)).rows[:5]] == [""] * 5  # masks are found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("image\na.jpg\n", "has the columns image, but not photo: give the name photo"),
        ("", "has no columns: give the name photo"),
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
    with pytest.raises(IGRError, match="--masks only works with a folder of photos: add the column mask"):
        read_table(write_csv(tmp_path, "photo\na.jpg\n"), str(tmp_path))
