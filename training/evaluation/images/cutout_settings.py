"""What a folder of cut-outs was made with, kept beside them: a run under other settings does not go on there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.model.config import from_json, to_json

from ...base.files import write_text

NAME = "cutout.json"
"""The file, in the folder of cut-outs."""


@dataclass(frozen=True)
class Settings:
    """How the pictures of a folder came about; names and hashes, nothing of the machine."""

    settings: dict[str, str]
    """Settings of the whole run by name."""
    inputs: dict[str, str]
    """Hash of what each picture was made of, by its file name."""

    def check(self, folder: Path, there: Iterable[str]) -> None:
        """Raise IGRError where the files `there` in a folder were not made with these settings, of these inputs."""
        there = list(there)
        if not there:
            return
        remedy = "choose another --out, or make them again with --overwrite"
        before = _read(folder / NAME)
        if before is None:
            raise IGRError(f"{folder} holds {there[0]} and no {NAME} that tells how it was made: {remedy}.")
        for name in {**before.settings, **self.settings}:
            old, new = (one.settings.get(name, "none") for one in (before, self))
            if old != new:
                raise IGRError(f"{folder} holds pictures made with {name} {old}, and now it is {new}: {remedy}.")
        other = [name for name in there if before.inputs.get(name) != self.inputs[name]]
        if other:
            raise IGRError(f"{folder} holds {len(other)} pictures made of other files ({other[0]}): {remedy}.")

    def write(self, folder: Path) -> None:
        """Keep them in a folder, beside what was made there before with the same settings."""
        before = _read(folder / NAME)
        earlier = before.inputs if before is not None and before.settings == self.settings else {}
        kept = Settings(self.settings, earlier | self.inputs)
        write_text(folder / NAME, json.dumps(to_json(kept), indent=1) + "\n")


def named(path: Path, files: Iterable[Path]) -> str:
    """Name and hash of a file or folder whose contents are `files`."""
    return f"{path.resolve().name} ({hash_of(files)})"


def hash_of(files: Iterable[Path]) -> str:
    """The first digits of one hash over the contents of files, in order; one that cannot be read counts as empty."""
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(bytes.fromhex(sha256(file)))
        except OSError:
            digest.update(b"\0")
    return digest.hexdigest()[:16]


def of_tasks(settings: Mapping[str, str], inputs: Mapping[Path, Iterable[Path]]) -> Settings:
    """Settings of a run that makes each file of the files beside it."""
    return Settings(dict(settings), {out.name: hash_of(files) for out, files in inputs.items()})


def _read(path: Path) -> Settings | None:
    try:
        return from_json(Settings, json.loads(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise IGRError(f"{path} cannot be read ({error}): remove it, and make its pictures again.") from error
