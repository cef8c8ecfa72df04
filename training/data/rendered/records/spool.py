"""Unfinished shards: every record is kept in its own file until all records of its shard exist."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from igr_core.errors import IGRError
from igr_core.model.config import from_json
from igr_core.storage import Folder

from ...files.images import read_json
from ...files.tar_index import TarIndex, index_tar, read_headers
from .record import record_name
from .shards import (
    SHARD_KEY,
    Made,
    Stamp,
    check_stamp,
    given_up,
    is_shard_name,
    read_members,
    seeds_of,
    shard_name,
    stamp_of,
    tar_bytes,
    write_shard,
)

STAMP_FILE = "stamp.json"
"""File in a folder of parts that describes how the parts were rendered."""
_PART = re.compile(r"garment-(\d+)\.tar")


class Pending:
    """A shard and its parts, which are kept in the `SHARD.tar.parts` folder until the shard is complete."""

    def __init__(self, folder: Folder, seeds: range, stamp: Stamp, names: Sequence[str]) -> None:
        """`folder` is the folder of the shards and `names` its contents.

        Raises IGRError for a shard or parts whose settings differ from `stamp`.
        """
        self.seeds = seeds
        """Seeds that belong to the shard."""
        self._folder, self._stamp = folder, stamp
        self._name = shard_name(seeds.start)
        self._parts = folder.below(f"{self._name}.parts")
        self._shard: TarIndex | None = None
        if self._name in names:
            self._shard = index_tar(folder.at(self._name))
            check_stamp(stamp_of(self._shard), stamp, folder.at(self._name))
        self._in_shard = set() if self._shard is None else _seeds(self._shard)
        self._has_parts = f"{self._name}.parts" in names
        self.done = self._in_shard | (self._seeds_in_parts() if self._has_parts else set())
        """Finished seeds, whether they belong to the shard or not."""
        self.missing = [seed for seed in seeds if seed not in self.done]
        """Seeds that remain to be made."""

    def failed(self, made: Made) -> int:
        """Note that the generator failed for a seed; returns the number of runs in which it has failed for this
        seed."""
        self._begin()
        name = f"{record_name(made.seed)}.errors.json"
        known = read_json(self._parts.read(name), self._parts.at(name)) if name in self._parts.names() else []
        self._parts.write(name, json.dumps([*known, made.failure]).encode())
        return len(known) + 1

    def add(self, made: Made) -> None:
        """Store the result of a seed; after the last result, write the shard."""
        self._begin()
        samples = [(SHARD_KEY, {"json": json.dumps({"rejects": made.rejects}).encode()})]
        if made.members is not None:
            samples.append((record_name(made.seed), made.members))
        self._parts.write(f"{record_name(made.seed)}.tar", tar_bytes(samples))
        self.missing.remove(made.seed)
        self.close()

    def _begin(self) -> None:
        """Write the stamp of the parts, if it does not exist."""
        if not self._has_parts:
            self._parts.write(STAMP_FILE, json.dumps(asdict(self._stamp)).encode())
            self._has_parts = True

    def close(self) -> None:
        """Write the shard if all of its records exist, and remove its parts."""
        if self.missing:
            return
        if not self._in_shard >= set(self.seeds):
            write_shard(self._folder, self._name, self._stamp, [self._made(seed) for seed in self.seeds])
        if self._has_parts:
            self._parts.clear()

    def _seeds_in_parts(self) -> set[int]:
        names = self._parts.names()
        if STAMP_FILE in names:
            where = self._parts.at(STAMP_FILE)
            metadata = read_json(self._parts.read(STAMP_FILE), where)
            check_stamp(from_json(Stamp, metadata, where), self._stamp, self._parts.url)
        return {int(match[1]) for name in names if (match := _PART.fullmatch(name))}

    def _made(self, seed: int) -> Made:
        """A seed's result, read from an earlier run's smaller shard or from the seed's part."""
        if self._shard is not None and seed in self._in_shard:
            reasons = given_up(self._shard).get(seed)
            return Made(seed, None if reasons is not None else read_members(self._shard, seed), reasons or {})
        name = f"{record_name(seed)}.tar"
        data = self._parts.read(name)
        index = read_headers(io.BytesIO(data), len(data), self._parts.at(name))
        places = index.samples.get(record_name(seed), {})
        members = {ending: data[at : at + size] for ending, (at, size) in places.items()}
        return Made(seed, members or None, dict(index.labels[SHARD_KEY]["rejects"]))


def pending_shards(folder: Folder, seeds: range, stamp: Stamp, per_shard: int) -> Iterator[Pending]:
    """The current state of the shards for `seeds`, `per_shard` seeds each; raises IGRError if other shards overlap
    them."""
    ranges = [range(first, min(first + per_shard, seeds.stop)) for first in range(seeds.start, seeds.stop, per_shard)]
    names = folder.names()
    known = {shard_name(part.start) for part in ranges}
    shards = {name.removesuffix(".parts") for name in names if is_shard_name(name.removesuffix(".parts"))}
    for name in sorted(shards - known):
        if shard_name(seeds.start) < name < shard_name(seeds.stop):
            raise _other_size(folder.at(name), per_shard)
    earlier = max((name for name in shards if name < shard_name(seeds.start)), default=None)
    if earlier is not None and any(seed >= seeds.start for seed in _seeds_at(folder, earlier, names)):
        raise _other_size(folder.at(earlier), per_shard)
    for part in ranges:
        pending = Pending(folder, part, stamp, names)
        if any(seed not in range(part.start, part.start + per_shard) for seed in pending.done):
            raise _other_size(folder.at(shard_name(part.start)), per_shard)
        yield pending


def _other_size(where: str, per_shard: int) -> IGRError:
    return IGRError(
        f"{where} does not begin or end where a shard of {per_shard} records would: render into another folder, or use "
        "the first seed and the records per shard of this folder."
    )


def _seeds(shard: TarIndex) -> set[int]:
    """Seeds listed in a shard, with and without a record."""
    return {*seeds_of(shard), *given_up(shard)}


def _seeds_at(folder: Folder, name: str, names: Sequence[str]) -> set[int]:
    """Finished seeds of a shard, in the shard or in its parts."""
    found = _seeds(index_tar(folder.at(name))) if name in names else set()
    if f"{name}.parts" in names:
        found |= {int(match[1]) for part in folder.below(f"{name}.parts").names() if (match := _PART.fullmatch(part))}
    return found
