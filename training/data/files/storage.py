"""A folder on this machine or at a URL (s3://, gs://, memory://, ... by way of fsspec), and files in it."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder


def remote(url: str) -> tuple[Any, str] | None:
    """fsspec's file system of a URL, and the path in it; None for a path on this machine.

    Raises IGRError when fsspec, or a package that it needs for this kind of URL, is missing.
    """
    if "://" not in url:
        return None
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise IGRError(f"{url} cannot be opened ({error}): install what fsspec needs for it, or copy it.") from error


class Folder:
    """One folder; files appear in it under their names only when they are whole."""

    def __init__(self, url: str | Path) -> None:
        """`url`: a path, or an address that fsspec knows. The folder is made when something is written."""
        self.url = str(url).rstrip("/")
        """Where it is."""
        self._remote = remote(self.url)

    def at(self, name: str) -> str:
        """Path or URL of a file in it."""
        return f"{self.url}/{name}"

    def below(self, name: str) -> Folder:
        """A folder in it."""
        return Folder(self.at(name))

    def names(self) -> list[str]:
        """Sorted names of its contents; empty if it does not exist yet."""
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
        """A file's content; IGRError when it is missing or cannot be read."""
        try:
            if self._remote is None:
                return Path(self.at(name)).read_bytes()
            system, path = self._remote
            return bytes(system.cat_file(f"{path}/{name}"))
        except (OSError, ValueError) as error:
            raise self._refused("read", error, name) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a file, which appears or takes the place of an earlier one at once; IGRError when that is refused."""
        if self._remote is None:
            make_folder(Path(self.url))
            with atomic_file(Path(self.at(name))) as temporary:
                temporary.write_bytes(data)
            return
        system, path = self._remote
        try:
            system.makedirs(path, exist_ok=True)
            # where an upload can be seen before it ends, the name must not
            system.pipe_file(f"{path}/.{name}.part", data)
            system.mv(f"{path}/.{name}.part", f"{path}/{name}")
        except (OSError, ValueError) as error:
            raise self._refused("written", error, name) from error

    def remove(self, name: str) -> None:
        """Remove a file where it is there."""
        try:
            if self._remote is None:
                Path(self.at(name)).unlink(missing_ok=True)
            elif self._remote[0].exists(f"{self._remote[1]}/{name}"):
                self._remote[0].rm_file(f"{self._remote[1]}/{name}")
        except OSError as error:
            raise self._refused("removed", error, name) from error

    def clear(self) -> None:
        """Remove the folder and all that lies in it."""
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
        return IGRError(f"{where} cannot be {done} ({reason}): check the address, the permissions and the space.")
