"""Writing files so that a crash, Ctrl-C or a full disk never costs an earlier file."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .errors import IGRError

_PART = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)\.part")
"""Names of the folders that atomic_file writes in."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; on success it is flushed to disk and takes the place of `path`.

    It lies in a folder of its own beside `path`, `.NAME.PID.part`, so that whatever else a writer puts there goes with
    it. On any failure the folder is removed and an earlier `path` is left as it was; what a killed process left of the
    same file is removed first. Raises IGRError when the system refuses the write (no space, no permission, no folder).
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary = part / path.name
    try:
        remove_stale_parts(path.parent, path.name)
        part.mkdir(exist_ok=True)
        mode = _mode_of_new_files(part)
        yield temporary
        with temporary.open("r+b") as handle:
            os.fsync(handle.fileno())
        if stat.S_IMODE(temporary.stat().st_mode) != mode:  # safetensors' writer makes files that only the owner reads
            temporary.chmod(mode)
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise IGRError(
            f"Could not write {path} ({reason}): free some space or choose another folder; nothing was changed there."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a .safetensors file as atomic_file does; a disk that refuses it is an IGRError here too."""
    with atomic_file(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata=metadata)
        except SafetensorError as error:  # the library's own, also for what the system refused
            raise OSError(str(error)) from error


def remove_stale_parts(folder: Path, name: str | None = None) -> None:
    """Remove what killed processes of this machine left half-written in a folder: of file `name`, or of every file.

    Parts of processes that still run stay.
    """
    for part in os.listdir(folder):
        match = _PART.fullmatch(part)
        if match is None or name not in (None, match["name"]) or _is_running(int(match["process"])):
            continue
        path = Path(folder) / part
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # there, signal 0 is Ctrl-C, and nothing else that is built in can ask
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _mode_of_new_files(folder: Path) -> int:
    """Permissions that the system gives to a new file here: 0o666 less the umask, which cannot be read by itself."""
    probe = folder / "mode"
    try:
        with open(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o666), "wb") as handle:
            return stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
    finally:
        probe.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder for what a command writes, its parents too; raises IGRError when the system refuses it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IGRError(f"The folder {folder} cannot be made ({error.strerror}): choose another folder.") from error


def sha256(path: Path | str) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
