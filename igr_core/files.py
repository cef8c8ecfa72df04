"""Atomic file writes: a crash, Ctrl-C or a full disk never destroys an existing file."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import IGRError
from .outputs import CannotWrite, check_folder
from .text import is_decoded

_PART = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)\.part")
"""Names of the temporary folders that atomic_file writes to."""
_LONG_NAME = 220


@contextmanager
def atomic_file(path: Path, *, remove_stale: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to; on success the file is flushed to disk and replaces `path`.

    The temporary path is in a folder of its own next to `path`, named `.NAME.PID.part`. This folder is removed at the
    end, together with any other files that the writer created in it. On failure, an existing `path` is left unchanged.
    Folders that killed processes left behind for the same file are removed first; `remove_stale=False` skips this
    step, which is slow in a folder with many files. Raises CannotWrite if the file cannot be written (no space, no
    permission, no such folder), or IGRError if `path` is a folder or its name is too long.
    """
    path = Path(path)
    part = path.with_name(f".{_short(path.name)}.{os.getpid()}.part")
    temporary = part / path.name
    try:
        if remove_stale:
            remove_stale_parts(path.parent, _short(path.name))
        part.mkdir(exist_ok=True)
        mode = _mode_of_new_files(part)
        yield temporary
        with temporary.open("r+b") as handle:
            os.fsync(handle.fileno())
        if stat.S_IMODE(temporary.stat().st_mode) != mode:  # safetensors writes files that only the owner can read
            temporary.chmod(mode)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.isdir(path):
            raise IGRError(f"{path} cannot be written, because it is a folder: rename or move it.") from error
        reason = error.strerror or str(error)
        kind = IGRError if error.errno == errno.ENAMETOOLONG else CannotWrite
        raise kind(
            f"Could not write {path} ({reason}): free some space or choose another folder. Nothing was changed."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a .safetensors file atomically; raises the same errors as atomic_file and check_decoded."""
    check_decoded(path)
    with atomic_file(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata=metadata)
        except SafetensorError as error:  # also raised for file system errors
            raise OSError(str(error)) from error


def own_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous and without shared memory, because safetensors rejects views."""
    result: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key in sorted(tensors):
        value = tensors[key].detach().cpu().contiguous()
        if value.untyped_storage().nbytes() != value.nbytes or value.data_ptr() in seen:
            value = value.clone()
        seen.add(value.data_ptr())
        result[key] = value
    return result


@contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """Open a .safetensors file to read its header or tensors on the CPU.

    Raises IGRError if the path is not valid UTF-8, or leads to a folder, a pipe or a device.
    """
    check_decoded(path)
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait forever
        raise IGRError(f"{path} is not a file: choose a .safetensors file.")
    with safe_open(path, framework="pt") as handle:
        yield handle


def check_model_file(path: Path, what: str) -> None:
    """Raise IGRError unless a path leads to a file; `what` is the model that the file should contain."""
    if os.path.isdir(path):
        raise IGRError(f"{path} is a folder: specify the .safetensors file.")
    if not os.path.isfile(path):
        is_other = os.path.exists(path)  # a pipe or a device
        remedy = "choose a .safetensors file" if is_other else f"check the path, or put {what} there"
        raise IGRError(f"{path} {'is not a file' if is_other else 'does not exist'}: {remedy}.")


def check_model_folder(folder: Path, what: str, label: str = "") -> None:
    """Raise IGRError unless `folder` is a folder; `what` is what it should contain, and `label` precedes its path."""
    if not os.path.isdir(folder):
        problem = "is a file" if os.path.exists(folder) else "does not exist"
        raise IGRError(f"{label}{folder} {problem}: specify the folder of {what}.")


def check_decoded(path: Path) -> None:
    """Raise IGRError for a path that is not valid UTF-8, because safetensors cannot open it."""
    for name in path.parts:
        if not is_decoded(name):
            raise IGRError(f"{path} cannot be used, because the name {name} is not valid UTF-8: rename it.")


def _short(name: str) -> str:
    """A name, or its hash if it is too long for a prefix and a suffix to be added."""
    return name if len(os.fsencode(name)) <= _LONG_NAME else hashlib.sha256(os.fsencode(name)).hexdigest()


def remove_stale_parts(folder: Path, name: str | None = None) -> None:
    """Remove the partial files that killed processes left in a folder, either for the file `name` or for all files.

    Partial files of processes that run on this machine are kept.
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
        return True  # on Windows, signal 0 is Ctrl-C, and the standard library offers no other check
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _mode_of_new_files(folder: Path) -> int:
    """Permissions of a new file in this folder: 0o666 minus the umask, which cannot be read without setting it."""
    probe = folder / "mode"
    try:
        with open(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o666), "wb") as handle:
            return stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
    finally:
        probe.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create an output folder and its parents; raises CannotWrite if that fails, or if nothing can be written there."""
    check_folder(folder, "The folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"The folder {folder} cannot be created ({error.strerror}): choose another folder."
        ) from error


def sha256(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def sampled_hash(path: Path | str, blocks: int = 64) -> str:
    """SHA-256, in hexadecimal, of a file's size and of at most `blocks` blocks of 1 MiB spread over it.

    Any file of up to that size is hashed completely. Raises OSError if the file cannot be read.
    """
    digest, block = hashlib.sha256(), 1 << 20
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest.update(str(size).encode())
        count = min(blocks, -(-size // block))
        for number in range(count):
            file.seek((size - block) * number // (count - 1) if count > 1 else 0)
            digest.update(file.read(block))
    return digest.hexdigest()
