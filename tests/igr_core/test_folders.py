"""Folders below another folder are listed, and no name leads out of the folder that it belongs to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.folders import entries_of, folder_below, folders_below, lies_below, resolved
from igr_core.storage import Folder


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def test_folders_are_listed_with_forward_slashes(tmp_path: Path) -> None:
    for name in ("b", "a/inner/most", ".hidden/x", "a/.hidden"):
        touch(tmp_path / "root" / name, "a.png")
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    listed = folders_below(tmp_path / "root")
    assert listed == ["a", "a/inner", "a/inner/most", "b"]
    assert folders_below(tmp_path / "nothing") == []
    for name in listed:
        assert folder_below(tmp_path / "root", name, "photos") == tmp_path / "root" / name


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../other", "a/../../other", "a/..", "", ".", "/etc", "//server/share", "out", "out/other", "ring"),
        *("C:\\Windows", "C:x", "\\\\server\\share", "..\\other", "\0"),
    ],
)
def test_names_that_leave_the_folder_are_rejected(tmp_path: Path, name: str) -> None:
    root = touch(tmp_path / "root" / "a", "a.png").parent
    touch(tmp_path / "other", "secret.png")
    (root / "out").symlink_to(tmp_path)
    (root / "ring").symlink_to(root / "ring")
    with pytest.raises(IGRError, match="^photos .* is not a folder inside .*choose one from the list"):
        folder_below(root, name, "photos")


def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    root = touch(tmp_path / "root", "a.png")
    for name in ("b", "a.png", "a.png/b"):
        with pytest.raises(IGRError, match=f'^masks "{name}" is not in .*put the folder there'):
            folder_below(root, name, "masks")


def test_a_root_that_is_a_link_does_not_allow_leaving_it(tmp_path: Path) -> None:
    touch(tmp_path / "disk" / "photos", "a.png")
    (tmp_path / "input").symlink_to(tmp_path / "disk")
    assert folder_below(tmp_path / "input", "photos", "photos") == tmp_path / "input" / "photos"
    assert lies_below(tmp_path / "input" / "photos" / "a.png", tmp_path / "input")
    assert not lies_below(tmp_path / "input", tmp_path / "input")


def test_a_loop_of_links_is_a_path_of_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in ("a", "a/photo.png", "x" * 300):
        assert not os.path.isfile(resolved(tmp_path / name))  # Path.is_file raises for a long name
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert resolved(tmp_path / "link") == tmp_path / "file"


def test_entries_that_cannot_be_examined_are_listed_as_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "linked").symlink_to("inner")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken").symlink_to("gone")
    expected = {"inner": True, "linked": True, "loop": False, "broken": False}
    assert entries_of(tmp_path) == Folder(tmp_path).entries() == expected
