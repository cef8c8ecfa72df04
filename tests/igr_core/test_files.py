"""Atomic writes: the usual permissions, and no leftovers, even from killed processes."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder, open_tensors, remove_stale_parts, sha256, write_tensors
from igr_core.model.bundle import Bundle
from igr_core.segmentation.model_folder import read_config
from igr_core.segmentation.sam2_checkpoint import read_checkpoint

ROOT = Path(__file__).parents[2]

needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows cannot ask whether a process runs")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.fixture(scope="module")
def ended_process() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text)


def test_a_new_file_takes_the_place_of_the_earlier_one(tmp_path: Path):
    for text in ("first", "second"):
        write(tmp_path / "a.txt", text)
        assert (tmp_path / "a.txt").read_text() == text and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]):
    write(tmp_path / "a.txt", "first")
    with pytest.raises(failure), atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        temporary.with_name(".tmp-of-the-writer").write_text("half")
        raise failure
    assert (tmp_path / "a.txt").read_text() == "first" and os.listdir(tmp_path) == ["a.txt"]


def test_a_writer_without_output_is_reported(tmp_path: Path):
    write(tmp_path / "a.txt", "first")
    with pytest.raises(IGRError, match="Could not write"), atomic_file(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "first" and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.usefixtures("umask")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask to speak of")
def test_files_have_the_permissions_that_the_user_asks_for(tmp_path: Path):
    """safetensors writes files that only their owner may read."""
    with atomic_file(tmp_path / "a.safetensors") as temporary:
        save_file({"x": torch.zeros(3)}, temporary)
    write(tmp_path / "a.txt", "text")
    for name in ("a.safetensors", "a.txt"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


KILLED = """
import os, signal, sys
from pathlib import Path
from igr_core.files import atomic_file
with atomic_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_signals
def test_leftovers_of_a_killed_process_are_removed_by_the_next_write(tmp_path: Path):
    result = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.txt")], cwd=ROOT, check=False)
    assert result.returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".a.txt.") and left.endswith(".part")
    write(tmp_path / "b.txt", "another file")
    assert sorted(os.listdir(tmp_path)) == [left, "b.txt"]
    write(tmp_path / "a.txt", "whole")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.txt"]


@needs_signals
def test_stale_parts_of_every_file_and_no_others(tmp_path: Path, ended_process: int):
    stale = (f".a.txt.{ended_process}.part", f".b.txt.{ended_process}.part", ".c.txt.99999999999999999999.part")
    kept = (f".a.txt.{os.getpid()}.part", f"a.txt.{ended_process}.part", ".a.txt.part", "a.txt")
    for name in (*stale, *kept):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").write_text("half")
    (tmp_path / f".d.txt.{ended_process}.part").write_text("a file")
    remove_stale_parts(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(IGRError, match=r"a\.txt cannot be written, because it is a folder: rename or move it"):
        write(tmp_path / "a.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    write(tmp_path / "file", "text")
    with pytest.raises(IGRError, match="file/b is below .*file, which is a file, .*choose another folder"):
        make_folder(tmp_path / "file" / "b")


def test_sha256(tmp_path: Path):
    write(tmp_path / "a.txt", "abc")
    assert sha256(tmp_path / "a.txt") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("name", ["caf\udce9/a.safetensors", "caf\udce9.safetensors"])
def test_paths_that_safetensors_cannot_open_must_be_renamed(tmp_path: Path, name: str):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").rename(path)
    before = path.read_bytes()
    with pytest.raises(IGRError, match=f"the name {Path(name).parts[0]} is not valid UTF-8: rename it"):
        with open_tensors(path):
            pass
    with pytest.raises(IGRError, match="is not valid UTF-8: rename it"):
        write_tensors(path, {"a": torch.ones(1)})
    assert path.read_bytes() == before
    for load in (Bundle.open, read_checkpoint):
        with pytest.raises(IGRError, match="is not valid UTF-8: rename it"):
            load(path)
    with pytest.raises(IGRError, match="is not valid UTF-8: rename it"):
        read_config(tmp_path / "caf\udce9")


def test_no_other_module_opens_safetensors():
    modules = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "igr_core").rglob("*.py")}
    assert [name for name, text in modules.items() if "safe_open" in text] == ["igr_core/files.py"]
