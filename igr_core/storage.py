"""Files in local folders, and in folders at a URL (s3://, gs://, memory:// and others, through fsspec)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import IGRError
from .files import atomic_file, make_folder


def remote(url: str) -> tuple[Any, str] | None:
    """The fsspec file system of a URL, and the path in it; None for a local path.

    Raises IGRError if fsspec, or a package that it needs for this kind of URL, is not installed.
    """
    if "://" not in url:
        return None
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise IGRError(
            f"{url} cannot be opened ({error}): install the packages it needs, or copy it to a local folder."
        ) from error


def read_location(location: str) -> bytes:
    """Content of a file at a path or URL; raises IGRError if it is missing or cannot be read."""
    folder, _, name = location.replace(os.sep, "/").rpartition("/")
    return Folder(folder or ("/" if location.startswith("/") else ".")).read(name)


class Folder:
    """A folder in which files appear under their final names only once they are complete."""

    def __init__(self, url: str | Path) -> None:
        """`url` is a path or an fsspec URL. The folder is created when the first file is written to it."""
        self.url = str(url).rstrip("/")
        """Path or URL of the folder."""
        self._remote = remote(self.url)

    def at(self, name: str) -> str:
        """Path or URL of a file in the folder."""
        return f"{self.url}/{name}"

    def below(self, name: str) -> Folder:
        """A subfolder."""
        return Folder(self.at(name))

    def names(self) -> list[str]:
        """Sorted names of the folder's contents; empty if it does not exist."""
        try:
            if self._remote is None:
                return sorted(path.name for path in Path(self.url).iterdir())
            system, path = self._remote
            system.invalidate_cache(path)
            return sorted(PurePosixPath(found.rstrip("/")).name for found in system.ls(path, detail=False))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise self._refused("read", error) from error

    def read(self, name: str) -> bytes:
        """A file's content; raises IGRError if it is missing or cannot be read."""
        try:
            if self._remote is None:
                return Path(self.at(name)).read_bytes()
            system, path = self._remote
            return bytes(system.cat_file(f"{path}/{name}"))
        except (OSError, ValueError) as error:
            raise self._refused("read", error, name) from error

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file atomically; raises IGRError on failure."""
        if self._remote is None:
            make_folder(Path(self.url))
            with atomic_file(Path(self.at(name))) as temporary:
                temporary.write_bytes(data)
            return
        system, path = self._remote
        try:
            system.makedirs(path, exist_ok=True)
            # a file must not appear under its name before its upload is complete
            system.pipe_file(f"{path}/.{name}.part", data)
            system.mv(f"{path}/.{name}.part", f"{path}/{name}")
        except (OSError, ValueError) as error:
            raise self._refused("written", error, name) from error

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        try:
            if self._remote is None:
                Path(self.at(name)).unlink(missing_ok=True)
            elif self._remote[0].exists(f"{self._remote[1]}/{name}"):
                self._remote[0].rm_file(f"{self._remote[1]}/{name}")
        except OSError as error:
            raise self._refused("removed", error, name) from error

    def clear(self) -> None:
        """Remove the folder and all its contents."""
        try:
            if self._remote is None and Path(self.url).is_dir():
                shutil.rmtree(self.url)
            elif self._remote is not None and self._remote[0].exists(self._remote[1]):
                self._remote[0].rm(self._remote[1], recursive=True)
        except OSError as error:
            raise self._refused("removed", error) from error

    def _refused(self, done: str, error: Exception, name: str | None = None) -> IGRError:
        reason = getattr(error, "strerror", None) or error
        where = self.url if name is None else self.at(name)
        return IGRError(f"{where} cannot be {done} ({reason}): check the address, the permissions and the free space.")
