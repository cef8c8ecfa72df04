"""Files in local folders and at URLs."""

import uuid
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.storage import Folder, read_location


@pytest.fixture(params=["local", "url"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "local":
        return Folder(tmp_path / "folder")
    pytest.importorskip("fsspec", reason="only the extra `catalogue` reads URLs")
    return Folder(f"memory://{uuid.uuid4()}")


def test_files_are_written_read_replaced_and_removed(folder: Folder) -> None:
    assert folder.names() == []
    folder.write("b.txt", b"1")
    folder.write("a.txt", b"2")
    folder.write("b.txt", b"3")
    assert folder.names() == ["a.txt", "b.txt"] and folder.read("b.txt") == b"3"
    folder.remove("b.txt")
    folder.remove("b.txt")
    assert folder.names() == ["a.txt"]
    folder.clear()
    assert folder.names() == []


def test_a_location_is_read_by_its_path_or_url(folder: Folder) -> None:
    folder.below("inner").write("a.txt", b"content")
    assert read_location(f"{folder.url}/inner/a.txt") == b"content"


def test_a_relative_path_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_bytes(b"content")
    assert read_location("a.txt") == b"content"


def test_a_missing_file_is_named(folder: Folder) -> None:
    with pytest.raises(IGRError, match=r"gone\.txt cannot be read .*: check the address"):
        read_location(folder.at("gone.txt"))


def test_an_unknown_kind_of_url_is_named() -> None:
    pytest.importorskip("fsspec", reason="only the extra `catalogue` reads URLs")
    with pytest.raises(IGRError, match="nosuch://a/b cannot be opened"):
        Folder("nosuch://a/b")
