"""Tars of records, named after their first seed (`records-000000000.tar`); written atomically, with random access."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from PIL import EpsImagePlugin

from igr_core.errors import IGRError
from igr_core.model.config import from_json
from igr_core.storage import Folder

from ...files.tar_index import INDEX_ENDING, TarIndex, index_bytes, index_tar, read_headers
from ...files.tar_names import is_tar, shard_urls
from ..base.settings import RenderSettings
from .record import Members, Record, check_metadata, from_members, record_name

EpsImagePlugin.gs_binary = False  # storing.py opens any format, but bytes in a shard must not start Ghostscript

SHARD_KEY = "shard"
"""Name of the member that describes how a shard was rendered: `shard.json`."""
KILLED = "killed its worker"
"""Reason for skipping a seed whose workers died repeatedly."""
FAILED = "ended in an error"
"""Reason for skipping a seed for which the generator failed in several runs."""


@dataclass(frozen=True)
class Stamp:
    """Settings and code that records were rendered with; the same for all records in a folder."""

    settings: RenderSettings
    """Settings of the run."""
    generator: str
    """Fingerprint of the code."""
    packages: str
    """Versions of the rendering packages, `drjit 1.3.1, mitsuba 3.8.0, ...`."""


@dataclass(frozen=True)
class Made:
    """The result of rendering a seed."""

    seed: int
    """The seed."""
    members: Members | None
    """Files of its record; None if every attempt was rejected."""
    rejects: dict[str, int]
    """Rejected attempts, counted by reason; KILLED or FAILED for a skipped seed."""
    failure: str = ""
    """Traceback of the generator's error; if it is not empty, no record is kept, and a later run tries again."""

    @property
    def killed(self) -> bool:
        """Whether the seed is skipped because its workers died."""
        return KILLED in self.rejects


class RecordShards:
    """Records by seed, in local shards or at a URL."""

    def __init__(self, root: str) -> None:
        """`root` is a folder, a tar, or a path or URL with braces.

        Raises IGRError if there are no shards, if a tar is not a shard of records, if shards have different settings,
        or if two shards contain the same seed.
        """
        self.root = root
        """Location of the shards."""
        self.given_up: dict[int, dict[str, int]] = {}
        """Seeds without a record, with the reasons for rejection."""
        self._places: dict[int, TarIndex] = {}
        stamps: dict[str, Stamp] = {}
        for url in record_urls(root):
            index = index_tar(url)
            stamps[url] = stamp_of(index)
            self.given_up.update(given_up(index))
            for seed in seeds_of(index):
                if seed in self._places:
                    raise IGRError(f"{url} and {self._places[seed].url} both contain seed {seed}: delete one of them.")
                self._places[seed] = index
        first = next(iter(stamps))
        for url, stamp in stamps.items():
            if stamp.settings != stamps[first].settings:
                raise IGRError(
                    f"{url} and {first} were rendered with different settings: keep them in separate folders."
                )
        self.stamp = stamps[first]
        """Settings and code of the records; those of the first shard if the code has changed since."""
        self.seeds = tuple(sorted(self._places))
        """Seeds of the records, in order."""

    def metadata(self, seed: int) -> dict[str, Any]:
        """Metadata in a record's json, from the index: category, attributes, photos, rejects."""
        index = self._places[seed]
        metadata = index.labels.get(record_name(seed))
        check_metadata(metadata, f"{index.url}:{record_name(seed)}.json")
        return metadata

    def read(self, seed: int) -> Record:
        """The record of a seed; raises IGRError naming the shard and the unreadable member."""
        index = self._places[seed]
        return from_members(read_members(index, seed), f"{index.url}:{record_name(seed)}")


def record_urls(root: str) -> list[str]:
    """Paths or URLs of the shards in a folder, one tar, or a pattern with braces; raises IGRError if there are none."""
    if is_tar(root) or "{" in root:
        return shard_urls(root)
    folder = Folder(root)
    found = [folder.at(name) for name in folder.names() if is_shard_name(name)]
    if not found:
        raise IGRError(f"{root} contains no rendered records: run python -m training data render {root} first.")
    return found


def is_shard_name(name: str) -> bool:
    """Whether a file is named like a shard of records."""
    return name.startswith("records-") and is_tar(name)


def shard_name(first: int) -> str:
    """Name of the shard that starts at a seed."""
    return f"records-{first:09d}.tar"


def stamp_of(index: TarIndex) -> Stamp:
    """Settings and code that a shard was rendered with; raises IGRError if the tar is not a shard of records."""
    metadata = index.labels.get(SHARD_KEY)
    try:
        settings = from_json(RenderSettings, metadata["settings"], f"{index.url} (settings)")
        return Stamp(settings, str(metadata["generator"]), str(metadata["packages"]))
    except (KeyError, TypeError) as error:
        raise IGRError(f"{index.url} is not a shard of rendered records: use a folder of such shards.") from error


def seeds_of(index: TarIndex) -> list[int]:
    """Seeds of the records in a shard, in order."""
    keys = sorted(key for key in index.samples if key != SHARD_KEY)
    found = []
    for key in keys:
        digits = key.removeprefix("garment-")
        if not digits.isdigit():
            raise IGRError(f"{index.url} contains {key}, which is not a record: copy the shard again.")
        found.append(int(digits))
    return found


def given_up(index: TarIndex) -> dict[int, dict[str, int]]:
    """Skipped seeds in a shard, with the number of rejected attempts by reason."""
    return {int(seed): dict(reasons) for seed, reasons in index.labels[SHARD_KEY].get("given_up", {}).items()}


def read_members(index: TarIndex, seed: int) -> Members:
    """The files of one record in a shard."""
    key = record_name(seed)
    return {ending: index.read(key, ending) for ending in index.samples[key]}


def check_stamp(found: Stamp, wanted: Stamp, where: str) -> None:
    """Raise IGRError unless the records at `where` were rendered with the same settings, code and packages."""
    if found.settings != wanted.settings:
        raise IGRError(f"{where} was rendered with different settings: delete it, or render into another folder.")
    if found.generator != wanted.generator:
        raise IGRError(
            f"{where} was rendered by another version of the generator ({found.generator}, now {wanted.generator}): "
            "render into another folder."
        )
    if found.packages != wanted.packages:
        raise IGRError(
            f"{where} was rendered with {found.packages}, and this machine has {wanted.packages}: install those "
            "versions, or render into another folder."
        )


def write_shard(folder: Folder, name: str, stamp: Stamp, made: Sequence[Made]) -> None:
    """Write a shard and the index beside it; the same records give the same bytes."""
    missing = {str(one.seed): one.rejects for one in made if one.members is None}
    metadata = {**asdict(stamp), "given_up": missing}
    samples = [(SHARD_KEY, {"json": json.dumps(metadata, sort_keys=True).encode()})]
    samples += [(record_name(one.seed), one.members) for one in made if one.members is not None]
    data = tar_bytes(samples)
    folder.remove(name + INDEX_ENDING)  # remove the index of an earlier, smaller shard
    folder.write(name, data)
    index = read_headers(io.BytesIO(data), len(data), folder.at(name))
    folder.write(name + INDEX_ENDING, index_bytes(index, len(data), lambda at, length: data[at : at + length]))


def tar_bytes(samples: Sequence[tuple[str, Mapping[str, bytes]]]) -> bytes:
    """A tar of samples, each given by its key and its files by ending."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for key, members in samples:
            for ending, data in members.items():
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
