"""CSV files that later runs extend: they are read back as written, and other files are not mistaken for them."""

import os
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.outputs import CannotWrite
from igr_core.restore.csv_lines import append_line, read_lines, write_lines

COLUMNS = ("name", "notes")


def read(path: Path) -> dict[str, dict[str, str]]:
    return read_lines(path, COLUMNS, "a report of this test", "choose another file")


def test_lines_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    names = ["b, c", 'with "quotes"', "two\nlines", "安娜", os.fsdecode(b"caf\xe9"), "=1+1"]
    lines = {name: {"name": name, "notes": f"{name}; {name}"} for name in names}
    path = tmp_path / "reports" / "all.csv"
    write_lines(path, COLUMNS, lines)
    assert read(path) == lines and list(read(path)) == sorted(names)
    assert [file.name for file in path.parent.iterdir()] == ["all.csv"]


def test_an_appended_line_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    write_lines(path, COLUMNS, {"b": {"name": "b", "notes": "first"}})
    for name, notes in (("=a", "new"), ("b", "second, last")):
        append_line(path, COLUMNS, {"name": name, "notes": notes})
    assert read(path) == {"b": {"name": "b", "notes": "second, last"}, "=a": {"name": "=a", "notes": "new"}}


def test_a_file_that_cannot_be_extended_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match=r"gone.all\.csv cannot be written \(No such file"):
        append_line(tmp_path / "gone" / "all.csv", COLUMNS, {"name": "a", "notes": ""})


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "none" / "all.csv") == {}


def test_a_file_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_bytes("name,notes\r\nGröße\r\n".encode("utf-8-sig"))  # with a byte order mark, and cells left out
    assert read(path) == {"Größe": {"name": "Größe", "notes": ""}}


@pytest.mark.parametrize(
    "content",
    [b"", b"name,price\nanna,3\n", b"notes,name\n", b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xfe\0", b'"never closed', b"\r\n"],
)
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "all.csv"
    path.write_bytes(content)
    with pytest.raises(
        IGRError, match=r"all\.csv (exists, but is not a report of this test|cannot be read .*): choose"
    ):
        read(path)
    assert path.read_bytes() == content


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "all.csv").mkdir()
    with pytest.raises(IGRError, match=r"all\.csv is not a file: choose another file"):
        read(tmp_path / "all.csv")


def test_an_overlong_cell_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("name,notes\n" + "x" * 200_000 + ",y\n")
    with pytest.raises(IGRError, match=r"cannot be read \(field larger than field limit"):
        read(tmp_path / "all.csv")
