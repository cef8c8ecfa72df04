"""The files that earlier runs left in an output folder."""

from __future__ import annotations

from ..photo.image_files import name_key
from .report.outcome import DONE, Outcome
from .settings import ASIDE, EVIDENCE, GARMENTS, Output

_FOLDERS, _TYPES = (GARMENTS, ASIDE, EVIDENCE), ("png", "webp")
"""Folders and file types that a garment's images may have; those of thumbnails never vary."""


class EarlierFiles:
    """The files that were in an output folder when each of its folders was first listed.

    Each folder is listed only once per run, because object stores are slow.
    """

    def __init__(self, output: Output) -> None:
        """Note the folder; nothing is read yet."""
        self._output = output
        self._names: dict[str, set[str]] = {}

    def complete(self, outcome: Outcome) -> bool:
        """Whether all files of an outcome exist."""
        for path in outcome.files:
            folder, _, name = path.rpartition("/")
            if name_key(name) not in self._listed(folder):  # some disks change the Unicode form
                return False
        return True

    def remove_others(self, now: Outcome) -> None:
        """Remove a restored garment's images of other types or in other folders.

        They were left behind by a run with other settings that was stopped.
        """
        for folder in _FOLDERS if now.status in DONE else ():
            for name in (f"{now.name}.{kind}" for kind in _TYPES):
                if f"{folder}/{name}" not in now.files and name in self._listed(folder):
                    self._output.folder(folder).remove(name)

    def _listed(self, folder: str) -> set[str]:
        """The names of the files in a folder, together with their name_keys."""
        if folder not in self._names:
            names = self._output.folder(folder).names()
            self._names[folder] = {*names, *map(name_key, names)}
        return self._names[folder]
