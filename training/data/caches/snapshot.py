"""The records that a folder is dressed from: those that were there when it was begun, while more are rendered."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import safe_open
from tqdm import tqdm

from igr_core.errors import IGRError

from ..contract.seeds import HELD_OUT_START
from ..rendered.generating.fingerprints import dress_fingerprint
from ..rendered.records.shards import RecordShards
from ..rendered.source import RenderedConfig, RenderedPairs

SEEDS = "seeds"
"""Entry of a shard's origin: stretches of the seeds that the folder is dressed from."""


@dataclass(frozen=True)
class Snapshot:
    """Some records of a folder that may grow; workers that open it later see the same."""

    records: str
    """Folder or URL."""
    stretches: tuple[tuple[int, int], ...]
    """Seeds: the first of each stretch, and the one after its last."""
    keep_defects: bool = False
    """Whether photos with a defect on purpose count."""

    @property
    def photos(self) -> int:
        """Photos of these records."""
        return len(_opened(self, 0)[1])

    def pair(self, number: int) -> tuple[RenderedPairs, int]:
        """The number-th pair, as a data set and an index: every photo in one dress, then every photo again."""
        dress_seed, row = divmod(number, self.photos)
        pairs, rows = _opened(self, dress_seed)
        return pairs, rows[row]

    def origin(self) -> tuple[str, str]:
        """Fingerprint of the generator, and as JSON all that the pairs depend on beside it."""
        stamp = _shards(self).stamp
        told = {**asdict(stamp), "photos": self.photos, SEEDS: self.stretches, "dressing": dress_fingerprint()}
        return stamp.generator, json.dumps(told, sort_keys=True)


def take_snapshot(folder: Path, pattern: str, records: str, keep_defects: bool = False) -> Snapshot:
    """The records to dress into `folder`: all that are there, or those that its shards (`pattern`) were begun with.

    Says how many they are. Raises IGRError where the folder was begun with records that are gone, and for held-out
    records beside others.
    """
    seeds = RecordShards(records).seeds
    begun = _begun(folder, pattern)
    chosen = set(seeds) if begun is None else {seed for first, stop in begun for seed in range(first, stop)}
    gone = sorted(chosen - set(seeds))
    if gone:
        raise IGRError(
            f"{folder} was dressed from other records: {records} has no seed {gone[0]}. Draw into another folder."
        )
    held_out = [seed >= HELD_OUT_START for seed in chosen]
    if any(held_out) and not all(held_out):
        raise IGRError(f"{records} holds held-out records beside others: keep them in two folders.")
    snapshot = Snapshot(records, stretches_of(sorted(chosen)), keep_defects)
    newer = f"; {len(seeds) - len(chosen)} newer ones are left to other folders" if len(seeds) > len(chosen) else ""
    told = f"{folder}: {len(chosen)} garments with {snapshot.photos} photos in {records}{newer}."
    tqdm.write(told, file=sys.stderr)
    return snapshot


def stretches_of(seeds: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Seeds in ascending order as stretches: the first of each, and the one after its last."""
    found: list[tuple[int, int]] = []
    for seed in seeds:
        if found and found[-1][1] == seed:
            found[-1] = (found[-1][0], seed + 1)
        else:
            found.append((seed, seed + 1))
    return tuple(found)


def _begun(folder: Path, pattern: str) -> list[list[int]] | None:
    """The stretches that the first shard of a folder tells; None without a shard that does."""
    for path in sorted(folder.glob(pattern)):
        with safe_open(path, framework="pt") as file:
            told: dict[str, Any] = json.loads((file.metadata() or {}).get("records", "{}"))
        return told.get(SEEDS)
    return None


@lru_cache(maxsize=4)
def _shards(snapshot: Snapshot) -> RecordShards:
    return RecordShards(snapshot.records)


@lru_cache(maxsize=4)
def _opened(snapshot: Snapshot, dress_seed: int) -> tuple[RenderedPairs, list[int]]:
    """The pairs of one dressing of a folder, and which of them are in the snapshot."""
    pairs = RenderedPairs(snapshot.records, RenderedConfig(dress_seed, keep_defects=snapshot.keep_defects))
    chosen = {seed for first, stop in snapshot.stretches for seed in range(first, stop)}
    return pairs, [row for row, place in enumerate(pairs.places) if place.seed in chosen]
