"""A location that cannot be written to is reported before anything is done, and no files are left behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.outputs import CannotWrite, check_file, check_folder

READ_ONLY = Path("/proc")
"""A folder that nobody can write to."""


def test_writable_locations_are_returned_unchanged(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_text("old")
    for path in (tmp_path / "old.png", tmp_path / "new.png", tmp_path / "not" / "yet" / "new.png"):
        assert check_file(path) == path
    assert check_folder(tmp_path / "not" / "yet") == tmp_path / "not" / "yet"
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]


def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"--out .*file is a file, but must be a folder"):
        check_folder(tmp_path / "file", "--out")
    with pytest.raises(CannotWrite, match=r"is below .*file, which is a file"):
        check_file(tmp_path / "file" / "sub" / "out.png", "--out")
    with pytest.raises(CannotWrite, match="is a folder: specify the file"):
        check_file(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(CannotWrite, match=r"--report .* is a pipe or a device: specify the file to write"):
            check_file(path, "--report")


@pytest.mark.skipif(not READ_ONLY.is_dir(), reason="needs Linux")
def test_a_read_only_folder_is_refused() -> None:
    for place in (READ_ONLY, READ_ONLY / "new" / "folder"):
        with pytest.raises(CannotWrite, match="cannot be written"):
            check_folder(place)
        with pytest.raises(CannotWrite, match="cannot be written"):
            make_folder(place)


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(CannotWrite, match="full disk"):
        check_file(tmp_path / "out.png")


def test_names_that_are_too_long_are_refused_and_long_ones_written(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="a name of 300 characters"):
        check_file(tmp_path / ("x" * 300))
    with pytest.raises(CannotWrite, match="a name of 300 characters"):
        check_folder(tmp_path / ("é" * 300) / "sub")
    longest = tmp_path / ("x" * 251 + ".txt")
    with atomic_file(longest) as temporary:
        temporary.write_text("whole")
    assert longest.read_text() == "whole" and list(tmp_path.iterdir()) == [longest]
    with pytest.raises(IGRError, match="Could not write") as caught, atomic_file(tmp_path / ("x" * 300)) as temporary:
        temporary.write_text("")
    assert not isinstance(caught.value, CannotWrite)  # the run can still write its other files
