"""Files in local folders and at URLs."""

import uuid
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.outputs import CannotWrite
from igr_core.storage import Folder, absolute, local_path, read_location


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
    with pytest.raises(IGRError, match=r"gone\.txt does not exist: check the path"):
        read_location(folder.at("gone.txt"))


def test_a_name_with_brackets_is_a_name_and_not_a_pattern(folder: Folder) -> None:
    folder.write("coat [red]*.png", b"1")
    assert folder.names() == ["coat [red]*.png"] and folder.read("coat [red]*.png") == b"1"
    folder.remove("coat [red]*.png", "gone.png")
    assert folder.names() == []


def test_a_file_url_is_a_local_path(tmp_path: Path) -> None:
    Folder(f"file://{tmp_path}/a").write("b.txt", b"1")
    assert (tmp_path / "a" / "b.txt").read_bytes() == read_location(f"file://{tmp_path}/a/b.txt") == b"1"
    assert absolute(f"file://{tmp_path}/a") == f"{tmp_path}/a" and absolute("s3://shop/a") == "s3://shop/a"


def test_a_file_url_may_be_encoded_and_name_this_machine(tmp_path: Path) -> None:
    for name in ("a ü.txt", "b%20c.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert read_location(f"file://{tmp_path}/a%20%C3%BC.txt") == "a ü.txt".encode()
    assert read_location(f"file://localhost{tmp_path}/a%20ü.txt") == "a ü.txt".encode()
    assert read_location(f"file://{tmp_path}/b%20c.txt") == b"b%20c.txt"
    assert read_location(f"file://{tmp_path}/b%2520c.txt") == b"b%20c.txt"
    assert str(local_path(f"{tmp_path}/a%20b")) == f"{tmp_path}/a%20b"  # not a URL


@pytest.mark.parametrize("url", ["zip://a.jpg::/shop/a.zip", "zip://photos::https://shop/a.zip"])
def test_a_url_within_another_is_refused_with_a_remedy(url: str) -> None:
    for read in (read_location, Folder):
        with pytest.raises(IGRError, match=rf"{url} cannot be opened, because it is a URL within another: unpack"):
            read(url)


@pytest.mark.parametrize(("call", "kind"), [("read", IGRError), ("write", CannotWrite), ("remove", CannotWrite)])
def test_an_error_of_any_type_at_a_url_is_one_sentence(
    call: str, kind: type[IGRError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages such as aiohttp and botocore raise errors that are not OSErrors."""
    memory = pytest.importorskip("fsspec.implementations.memory", reason="only the extra `catalogue` reads URLs")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("403 Forbidden")

    for name in ("cat_file", "pipe_file", "rm_file"):
        monkeypatch.setattr(memory.MemoryFileSystem, name, fail)
    words = {"write": ("a.txt", b"")}.get(call, ("a.txt",))
    with pytest.raises(
        IGRError, match=r"memory://shop/a\.txt cannot be \w+ \(403 Forbidden\): check the address"
    ) as caught:
        getattr(Folder("memory://shop"), call)(*words)
    assert type(caught.value) is kind


def test_an_unknown_kind_of_url_is_named() -> None:
    pytest.importorskip("fsspec", reason="only the extra `catalogue` reads URLs")
    with pytest.raises(IGRError, match="nosuch://a/b cannot be opened"):
        Folder("nosuch://a/b")
