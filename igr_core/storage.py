"""Files in local folders, and in folders at a URL (s3://, gs://, memory:// and others, through fsspec)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from .errors import IGRError
from .files import atomic_file, make_folder, remove_stale_parts
from .outputs import CannotWrite

Result = TypeVar("Result")
_WHOLE_UPLOADS = ("abfs", "abfss", "az", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a")
"""Kinds of URLs where a file is visible only once its upload is complete."""
_AT_ONCE = 16
"""Number of files that are removed at the same time."""


def remote(url: str) -> tuple[Any, str] | None:
    """The fsspec file system of a URL, and the path in it; None for a local path, or a file:// URL of one.

    Raises IGRError if fsspec, or a package that it needs for this kind of URL, is not installed.
    """
    if not is_url(url):
        return None
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except Exception as error:  # the packages for URLs raise errors of their own
        raise IGRError(
            f"{url} cannot be opened ({error}): install the packages it needs, or copy it to a local folder."
        ) from error


def is_url(location: str) -> bool:
    """Whether a location is a URL, other than a file:// URL, and not a local path."""
    return "://" in location and not location.startswith("file://")


def local_path(location: str) -> Path:
    """A local path, or a file:// URL, as a path."""
    return Path(location.removeprefix("file://"))


def read_location(location: str) -> bytes:
    """Content of a file at a path or URL; raises IGRError if it is missing or cannot be read."""
    if not is_url(location):
        path = local_path(location)
        return Folder(path.parent).read(path.name)
    folder, _, name = location.rpartition("/")
    return Folder(folder).read(name)


class Folder:
    """A folder in which files appear under their final names only once they are complete."""

    def __init__(self, url: str | Path) -> None:
        """`url` is a path or an fsspec URL. The folder is created when the first file is written to it."""
        self.url = str(url).rstrip("/") if is_url(str(url)) else str(local_path(str(url)))
        """Path or URL of the folder."""
        self._remote = remote(self.url)
        self._made = False

    def at(self, name: str) -> str:
        """Path or URL of a file in the folder."""
        return f"{self.url}/{name}" if self._remote else str(Path(self.url) / name)

    def below(self, name: str) -> Folder:
        """A subfolder."""
        return Folder(self.at(name))

    def names(self) -> list[str]:
        """Sorted names of the folder's contents; empty if it does not exist."""

        def listed() -> list[str]:
            if self._remote is None:
                return sorted(path.name for path in Path(self.url).iterdir())
            system, path = self._remote
            system.invalidate_cache(path)
            return sorted(PurePosixPath(found.rstrip("/")).name for found in system.ls(path, detail=False))

        try:
            return self._try(listed, "read")
        except FileNotFoundError:
            return []

    def read(self, name: str) -> bytes:
        """A file's content; raises IGRError if it is missing or cannot be read."""

        def content() -> bytes:
            if self._remote is None:
                return Path(self.at(name)).read_bytes()
            return bytes(self._remote[0].cat_file(f"{self._remote[1]}/{name}"))

        try:
            return self._try(content, "read", name)
        except FileNotFoundError as error:
            raise IGRError(f"{self.at(name)} does not exist: check the path.") from error

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file atomically; raises CannotWrite if the folder cannot be written to."""
        if self._remote is None:
            if not self._made:
                make_folder(Path(self.url))
                remove_stale_parts(Path(self.url))
                self._made = True
            with atomic_file(Path(self.at(name)), remove_stale=False) as temporary:
                temporary.write_bytes(data)
            return
        self._try(lambda: self._upload(name, data), "written", name)

    def _upload(self, name: str, data: bytes) -> None:
        assert self._remote is not None
        system, path = self._remote
        if not self._made:
            system.makedirs(path, exist_ok=True)
            self._made = True
        kinds = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
        if set(kinds) & set(_WHOLE_UPLOADS):
            system.pipe_file(f"{path}/{name}", data)
            return
        part = f"{path}/.{name}.part"
        system.pipe_file(part, data)
        system.cp_file(part, f"{path}/{name}")
        system.rm_file(part)

    def remove(self, *names: str) -> None:
        """Remove files, if they exist."""
        if len(names) <= 1 or self._remote is None:
            for name in names:
                self._remove(name)
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._remove, names))

    def _remove(self, name: str) -> None:
        def removed() -> None:
            if self._remote is None:
                Path(self.at(name)).unlink(missing_ok=True)
            else:
                self._remote[0].rm_file(f"{self._remote[1]}/{name}")

        with suppress(FileNotFoundError):
            self._try(removed, "removed", name)

    def clear(self) -> None:
        """Remove the folder and all its contents."""

        def cleared() -> None:
            if self._remote is None:
                if Path(self.url).is_dir():
                    shutil.rmtree(self.url)
            elif self._remote[0].exists(self._remote[1]):
                self._remote[0].rm(self._remote[1], recursive=True)

        self._made = False
        self._try(cleared, "removed")

    def _try(self, call: Callable[[], Result], done: str, name: str | None = None) -> Result:
        """Call a function of the file system; raises IGRError, or CannotWrite, for all errors but a missing file."""
        try:
            return call()
        except (FileNotFoundError, IGRError):
            raise
        except Exception as error:  # the packages for URLs raise errors of their own
            if self._remote is None and not isinstance(error, (OSError, ValueError)):
                raise
            reason = getattr(error, "strerror", None) or error
            where = self.url if name is None else self.at(name)
            if done == "read":
                raise IGRError(f"{where} cannot be read ({reason}): check the address and the permissions.") from error
            raise CannotWrite(
                f"{where} cannot be {done} ({reason}): check the address, the permissions and the free space."
            ) from error


def absolute(location: str) -> str:
    """A location that means the same in every process: a URL, or an absolute path."""
    return location if is_url(location) else os.path.abspath(local_path(location))
