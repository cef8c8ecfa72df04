"""The records that a folder is made from: those that existed at the start, even if more are rendered later."""

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
from igr_core.text import counted

from ..contract.seeds import HELD_OUT_START
from ..rendered.generating.fingerprints import dress_fingerprint
from ..rendered.records.shards import RecordShards
from ..rendered.source import RenderedConfig, RenderedPairs

SEEDS = "seeds"
"""Entry in a shard's origin that lists the ranges of seeds that the folder is made from."""


@dataclass(frozen=True)
class Snapshot:
    """Some records in a folder that may grow; workers that open the folder later use the same records."""

    records: str
    """Folder or URL of the records."""
    stretches: tuple[tuple[int, int], ...]
    """Ranges of seeds: the first seed of each range, and the seed after its last."""
    keep_defects: bool = False
    """Whether to include photos with a deliberate defect."""

    @property
    def photos(self) -> int:
        """Number of photos in these records."""
        return len(_opened(self, 0)[1])

    def pair(self, number: int) -> tuple[RenderedPairs, int]:
        """Data set and index of a pair; all photos are dressed once before any is dressed again."""
        dress_seed, row = divmod(number, self.photos)
        pairs, rows = _opened(self, dress_seed)
        return pairs, rows[row]

    def origin(self) -> tuple[str, str]:
        """Fingerprint of the generator, and everything else that the pairs depend on, as JSON."""
        stamp = _shards(self).stamp
        described = {**asdict(stamp), "photos": self.photos, SEEDS: self.stretches, "dressing": dress_fingerprint()}
        return stamp.generator, json.dumps(described, sort_keys=True)


def take_snapshot(folder: Path, pattern: str, records: str, keep_defects: bool = False) -> Snapshot:
    """The records to dress into `folder`: those recorded in its shards (`pattern`), or all if it has no shards.

    Logs how many there are. Raises IGRError if some recorded seeds no longer exist, or if held-out records are mixed
    with others.
    """
    seeds = RecordShards(records).seeds
    begun = _begun(folder, pattern)
    chosen = set(seeds) if begun is None else {seed for first, stop in begun for seed in range(first, stop)}
    gone = sorted(chosen - set(seeds))
    if gone:
        raise IGRError(
            f"{folder} was made from other records: {records} has no seed {gone[0]}. Draw into another folder."
        )
    held_out = [seed >= HELD_OUT_START for seed in chosen]
    if any(held_out) and not all(held_out):
        raise IGRError(f"{records} contains both held-out and other records: keep them in separate folders.")
    snapshot = Snapshot(records, stretches_of(sorted(chosen)), keep_defects)
    newer = f"; {len(seeds) - len(chosen)} newer ones are ignored" if len(seeds) > len(chosen) else ""
    shown = f"{counted(len(chosen), 'garment')} with {counted(snapshot.photos, 'photo')}"
    message = f"{folder}: {shown} in {records}{newer}."
    tqdm.write(message, file=sys.stderr)
    return snapshot


def stretches_of(seeds: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Ascending seeds as ranges: the first seed of each range, and the seed after its last."""
    found: list[tuple[int, int]] = []
    for seed in seeds:
        if found and found[-1][1] == seed:
            found[-1] = (found[-1][0], seed + 1)
        else:
            found.append((seed, seed + 1))
    return tuple(found)


def _begun(folder: Path, pattern: str) -> list[list[int]] | None:
    """The ranges recorded in the first shard of a folder; None if no shard records them."""
    for path in sorted(folder.glob(pattern)):
        with safe_open(path, framework="pt") as file:
            recorded: dict[str, Any] = json.loads((file.metadata() or {}).get("records", "{}"))
        return recorded.get(SEEDS)
    return None


@lru_cache(maxsize=4)
def _shards(snapshot: Snapshot) -> RecordShards:
    return RecordShards(snapshot.records)


@lru_cache(maxsize=4)
def _opened(snapshot: Snapshot, dress_seed: int) -> tuple[RenderedPairs, list[int]]:
    """The pairs made from records with one dress seed, and the indices of those that belong to the snapshot."""
    pairs = RenderedPairs(snapshot.records, RenderedConfig(dress_seed, keep_defects=snapshot.keep_defects))
    chosen = {seed for first, stop in snapshot.stretches for seed in range(first, stop)}
    return pairs, [row for row, place in enumerate(pairs.places) if place.seed in chosen]
