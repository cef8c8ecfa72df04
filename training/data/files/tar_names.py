"""Names of tars: the shards of a folder or of a pattern with braces, and compressed tars, which are not supported."""

from __future__ import annotations

import math
import re
from itertools import product
from pathlib import Path

from igr_core.errors import IGRError

TARS = "*.[tT][aA][rR]"
"""Pattern for the tars of a folder, in any case."""
COMPRESSED = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".tgz", ".tbz2", ".txz", ".tzst")
"""Endings of compressed tars, whose members cannot be read at random."""
MAX_SHARDS = 100_000
"""Maximum number of tars that a pattern with braces may name."""
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})")


def is_tar(name: str) -> bool:
    """Whether a path or URL ends in .tar, in any case."""
    return name.casefold().endswith(".tar")


def is_compressed_tar(name: str) -> bool:
    """Whether a path or URL ends like a compressed tar, in any case."""
    return name.casefold().endswith(COMPRESSED)


def tars_in(folder: Path) -> list[Path]:
    """The tars directly in a folder, sorted by name."""
    return sorted(folder.glob(TARS))


def compressed_in(folder: Path) -> list[str]:
    """A sentence for each compressed tar directly in a folder."""
    found = sorted(path for path in folder.iterdir() if is_compressed_tar(path.name)) if folder.is_dir() else []
    return [f"{path} is a compressed tar, which is not read: unpack it to a .tar, or move it away." for path in found]


def expand_braces(pattern: str) -> list[str]:
    """Expand `shard-{000..009}.tar` and `{a,b}.tar` to names, in order; leading zeros are kept.

    Raises IGRError for more than MAX_SHARDS names.
    """
    pieces = _BRACES.split(pattern)
    choices = [_choices(piece, pattern) if place % 2 else [piece] for place, piece in enumerate(pieces)]
    _check_count(math.prod(map(len, choices)), pattern)
    return ["".join(words) for words in product(*choices)]


def shard_urls(shards: str) -> list[str]:
    """Paths or URLs of the tars in a folder, of one tar, or of a pattern with braces; raises IGRError if none exist."""
    if "://" not in shards and Path(shards).is_dir():
        found = [str(path) for path in tars_in(Path(shards))]
        if not found:
            raise IGRError(
                f"{shards} contains no tars: use the folder that contains the shards, or SHARD-{{000000..000009}}.tar."
            )
        return found
    return expand_braces(shards)


def _choices(text: str, pattern: str) -> list[str]:
    match = _RANGE.fullmatch(text)
    if match is None:
        if "," not in text:
            raise IGRError(f"{pattern}: {{{text}}} is not a valid pattern: write {{000000..000009}} or {{a,b}}.")
        return text.split(",")
    first, last = match.groups()
    if int(last) < int(first):
        raise IGRError(f"{pattern}: {{{text}}} counts down: write the smaller number first.")
    _check_count(int(last) - int(first) + 1, pattern)
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _check_count(count: int, pattern: str) -> None:
    if count > MAX_SHARDS:
        raise IGRError(f"{pattern} expands to {count:,} tar files: use at most {MAX_SHARDS:,}.")
