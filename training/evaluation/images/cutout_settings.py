"""Settings of a folder of cut-outs, stored there so that a run with different settings cannot continue in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.json_text import parse_json
from igr_core.model.config import from_json, to_json
from igr_core.text import counted

from ...base.files import write_text

NAME = "cutout.json"
"""Name of the settings file in a folder of cut-outs."""


@dataclass(frozen=True)
class Settings:
    """Origin of the images in a folder, as names and hashes without this machine's paths."""

    settings: dict[str, str]
    """Settings of the whole run, by name."""
    inputs: dict[str, str]
    """Hash of each image's inputs, by the image's file name."""

    def check(self, folder: Path, there: Iterable[str]) -> None:
        """Raise IGRError if the existing files `there` were not made with these settings from these inputs."""
        there = list(there)
        if not there:
            return
        remedy = "choose another --out, or replace the images with --overwrite"
        before = _read(folder / NAME)
        if before is None:
            raise IGRError(f"{folder} contains {there[0]}, but no {NAME} with its settings: {remedy}.")
        for name in {**before.settings, **self.settings}:
            old, new = (one.settings.get(name, "none") for one in (before, self))
            if old != new:
                raise IGRError(
                    f"{folder} contains images made with {name} {old}, but this run uses {name} {new}: {remedy}."
                )
        other = [name for name in there if before.inputs.get(name) != self.inputs[name]]
        if other:
            images = counted(len(other), "image")
            raise IGRError(f"{folder} contains {images} made from other files ({other[0]}): {remedy}.")

    def write(self, folder: Path) -> None:
        """Write the settings into a folder, and keep the inputs of earlier images that have the same settings."""
        before = _read(folder / NAME)
        earlier = before.inputs if before is not None and before.settings == self.settings else {}
        kept = Settings(self.settings, earlier | self.inputs)
        write_text(folder / NAME, json.dumps(to_json(kept), indent=1) + "\n")


def named(path: Path, files: Iterable[Path]) -> str:
    """Name and hash of a file, or of a folder that contains `files`."""
    return f"{path.resolve().name} ({hash_of(files)})"


def hash_of(files: Iterable[Path]) -> str:
    """The first digits of a hash of the files' contents, in order; an unreadable file counts as empty."""
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(bytes.fromhex(sha256(file)))
        except OSError:
            digest.update(b"\0")
    return digest.hexdigest()[:16]


def of_tasks(settings: Mapping[str, str], inputs: Mapping[Path, Iterable[Path]]) -> Settings:
    """Settings of a run that makes each output from its input files."""
    return Settings(dict(settings), {out.name: hash_of(files) for out, files in inputs.items()})


def _read(path: Path) -> Settings | None:
    try:
        data = parse_json(path.read_bytes(), str(path), "delete the file, and create its images again")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error}): delete the file, and create its images again.") from error
    return from_json(Settings, data, str(path))
