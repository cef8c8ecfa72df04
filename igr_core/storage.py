"""Files in local folders, and in folders at a URL (s3://, gs://, memory:// and others, through fsspec)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote

from .errors import IGRError
from .files import atomic_file, make_folder, remove_stale_parts
from .folders import entries_of
from .outputs import CannotWrite

Result = TypeVar("Result")
_WHOLE_UPLOADS = ("abfs", "abfss", "az", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a")
"""URL schemes of stores in which a file is visible only once its upload is complete."""
_LOCAL = "file://"
_AT_ONCE = 16
"""Number of files that are removed at the same time."""


def remote(url: str) -> tuple[Any, str] | None:
    """The fsspec file system of a URL, and the path in it; None for a local path or a file:// URL.

    Raises IGRError if the URL cannot be opened, for example because fsspec or a package that it needs for this type of
    URL is not installed.
    """
    if not is_url(url):
        return None
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except Exception as error:  # each file system's package raises its own types of errors
        raise IGRError(
            f"{url} cannot be opened ({error}): install the packages it needs, or copy it to a local folder."
        ) from error


def is_url(location: str) -> bool:
    """Whether a location is a URL rather than a local path; file:// URLs count as local paths."""
    return "://" in location and not location.startswith(_LOCAL)


def local_path(location: str) -> Path:
    """A local path or file:// URL as a Path; escapes such as %20 in a URL are decoded, unless a literal path exists."""
    if not location.startswith(_LOCAL):
        return Path(location)
    path = location.removeprefix(_LOCAL)
    if path.startswith("localhost/"):
        path = path.removeprefix("localhost")
    return Path(path if os.path.lexists(path) else unquote(path, errors="surrogateescape"))


def read_location(location: str) -> bytes:
    """Content of a file at a path or URL; raises IGRError if it is missing or cannot be read."""
    if not is_url(location):
        path = local_path(location)
        return Folder(path.parent).read(path.name)
    _check_single(location)
    folder, _, name = location.rpartition("/")
    return Folder(folder).read(name)


def _check_single(url: str) -> None:
    """Raise IGRError for a chain of URLs such as zip://a.jpg::https://host/b.zip, which does not end in a file name."""
    if "://" in url.partition("::")[0] and "::" in url:
        raise IGRError(f"{url} cannot be opened, because it is a URL within another: unpack the archive into a folder.")


class Folder:
    """A folder in which files appear under their final names only once they are complete."""

    def __init__(self, url: str | Path) -> None:
        """`url` is a path or an fsspec URL. The folder is created when the first file is written to it."""
        _check_single(str(url))
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
        return sorted(self.entries())

    def entries(self) -> dict[str, bool]:
        """Map the name of each entry to whether it is a subfolder; empty if the folder does not exist."""

        def listed() -> dict[str, bool]:
            if self._remote is None:
                return entries_of(self.url)
            system, path = self._remote
            system.invalidate_cache(path)
            found = system.ls(path, detail=True)
            return {PurePosixPath(one["name"].rstrip("/")).name: one["type"] == "directory" for one in found}

        try:
            return self._try(listed, "read")
        except FileNotFoundError:
            return {}

    def read(self, name: str) -> bytes:
        """A file's content; raises IGRError if it is missing or cannot be read, or is a pipe or a device."""

        def content() -> bytes:
            if self._remote is None:
                path = Path(self.at(name))
                if os.path.exists(path) and not os.path.isfile(path):  # reading it might never end
                    raise IGRError(f"{path} is not a file: check the path.")
                return path.read_bytes()
            return bytes(self._remote[0].cat_file(f"{self._remote[1]}/{name}"))

        try:
            return self._try(content, "read", name)
        except FileNotFoundError as error:
            raise IGRError(f"{self.at(name)} does not exist: check the path.") from error
        except MemoryError as error:
            raise IGRError(f"{self.at(name)} does not fit into memory: use a smaller file.") from error

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
        """Call a function of the file system, and turn its errors, except for missing files, into IGRErrors."""
        try:
            return call()
        except (FileNotFoundError, IGRError):
            raise
        except Exception as error:  # each file system's package raises its own types of errors
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
