"""Check that a small model's run is resumed with the files that it was started with, wherever they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import sampled_hash

INPUTS = ("data", "init", "decoder_of")
"""Config entries with a file or a folder of pairs that affect training."""
_PAIRS, _BLOCKS = "pairs-*.safetensors", 4
"""Shards of pairs, and the number of blocks of each that are hashed; the first contains the labels of all pairs."""


def input_hashes(config: Any) -> dict[str, str]:
    """A hash of the contents of each input of a config, by its entry.

    Inputs that are neither a file nor a folder of pairs are left out: their paths are compared. A folder of photos is
    one of these, because runs with different numbers of photos share it.
    """
    paths = {name: Path(value) for name in INPUTS if (value := getattr(config, name, None))}
    hashes = {name: _hash(path) for name, path in paths.items()}
    return {name: found for name, found in hashes.items() if found}


def same_inputs(before: Mapping[str, str], now: Mapping[str, str], run: str) -> set[str]:
    """Entries whose paths may differ, because their contents are the same as when the run was started.

    Both mappings are from input_hashes. Raises IGRError naming the first input whose contents differ.
    """
    both = before.keys() & now.keys()
    for name in sorted(both):
        if before[name] != now[name]:
            raise IGRError(
                f"{run} was trained with other contents of `{name}`: restore them, or choose another --run folder."
            )
    return set(both)


def _hash(path: Path) -> str:
    """A hash of a file or of the pairs in a folder; empty for anything else."""
    if path.is_file():
        return sampled_hash(path)
    digest, shards = hashlib.sha256(), sorted(path.glob(_PAIRS)) if path.is_dir() else []
    for file in shards:
        digest.update(f"{file.name} {sampled_hash(file, _BLOCKS)}\n".encode())
    return digest.hexdigest() if shards else ""
