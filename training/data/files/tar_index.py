"""Offsets of a tar's members, for random access on a disk, on a web server or in a bucket."""

from __future__ import annotations

import json
import math
import re
import tarfile
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import IO, Any

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.storage import remote

from .images import read_json

INDEX_ENDING = ".index.json"
"""Suffix of the index file beside a tar; with an index, the tar need not be scanned."""
_BLOCK = 1 << 16
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})")
MAX_SHARDS = 100_000
"""Maximum number of tars that a pattern with braces may name."""


@dataclass(frozen=True)
class TarIndex:
    """Members of a tar, grouped by sample."""

    url: str
    """Path or URL of the tar."""
    samples: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Offset and size in bytes by the sample's key and the member's ending: `person.jpg`, `mask.png` and so on."""
    labels: dict[str, Any] = field(default_factory=dict)
    """Content of each sample's `json`; joints are left out to save memory."""

    def read(self, key: str, ending: str) -> bytes:
        """Bytes of a member; raises IGRError if the tar cannot be read or has become shorter."""
        offset, size = self.samples[key][ending]
        name = f"{self.url}:{key}.{ending}"
        place = remote(self.url)
        try:
            if place is not None:
                data = place[0].cat_file(place[1], start=offset, end=offset + size)
            else:
                with Path(self.url).open("rb") as file:
                    file.seek(offset)
                    data = file.read(size)
        except (OSError, ValueError) as error:
            raise IGRError(f"{name} cannot be read ({error}): check the address and the connection.") from error
        if len(data) != size:
            raise IGRError(
                f"{name} ends after {len(data)} of {size} bytes: it was changed or is truncated; copy the tar again."
            )
        return data


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
        found = [str(path) for path in sorted(Path(shards).glob("*.tar"))]
        if not found:
            raise IGRError(
                f"{shards} contains no tars: use the folder that contains the shards, or SHARD-{{000000..000009}}.tar."
            )
        return found
    return expand_braces(shards)


def index_tar(url: str) -> TarIndex:
    """Index a tar from its headers, or read its index file.

    Raises IGRError if the file is missing, truncated or not a tar.
    """
    size = _size(url)
    beside = _read_index(url, size)
    if beside is not None:
        return beside
    with _open(url) as file:
        return read_headers(file, size, url)


def read_headers(file: IO[bytes], size: int, url: str) -> TarIndex:
    """Index an open tar of `size` bytes from its headers; `url` is its name in messages."""
    index = TarIndex(url)
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if member.isfile():
                    if member.offset_data + member.size > size:
                        raise IGRError(f"{url} is truncated within {member.name}: copy the tar again.")
                    _note(index, tar, member)
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile stops here without an error
                raise IGRError(f"{url} is truncated or damaged after {tar.offset} bytes: copy the tar again.")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise IGRError(
            f"{url} is not a readable tar ({error}): copy the tar again; it must not be compressed."
        ) from error
    if not index.samples:
        raise IGRError(f"{url} contains no samples: a sample is KEY.person.jpg, KEY.mask.png, KEY.json and so on.")
    return index


def write_index(path: Path) -> None:
    """Write the index file of a local tar."""
    with atomic_file(path.with_name(path.name + INDEX_ENDING)) as temporary:
        temporary.write_bytes(index_bytes(index_tar(str(path)), path.stat().st_size))


def index_bytes(index: TarIndex, size: int) -> bytes:
    """Content of the index file for a tar of `size` bytes."""
    return json.dumps({"size": size, "samples": index.samples, "labels": index.labels}).encode()


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


def _note(index: TarIndex, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    folder, _, name = member.name.removeprefix("./").rpartition("/")
    stem, _, ending = name.partition(".")
    if not stem or not ending:
        return
    key, ending = f"{folder}/{stem}" if folder else stem, ending.casefold()
    sample = index.samples.setdefault(key, {})
    if ending in sample:
        raise IGRError(f"{index.url} contains {key}.{ending} twice: write the shards again.")
    sample[ending] = (member.offset_data, member.size)
    if ending == "json":
        file = tar.extractfile(member)
        label = read_json(file.read() if file else b"", f"{index.url}:{key}.json")
        if not isinstance(label, dict):
            raise IGRError(f'{index.url}:{key}.json must be a mapping such as {{"category": "upper"}}.')
        index.labels[key] = {name: value for name, value in label.items() if name != "keypoints"}


def _read_index(url: str, size: int) -> TarIndex | None:
    """Read a tar's index file; None if there is none or it is damaged.

    Raises IGRError if the index was made for a tar of a different size.
    """
    try:
        with _open(url + INDEX_ENDING) as file:
            content = read_json(file.read(), url + INDEX_ENDING)
        made_for = int(content["size"])
        samples = {
            key: {ending: _place(at, length, made_for) for ending, (at, length) in members.items()}
            for key, members in content["samples"].items()
        }
        labels = {key: dict(label) for key, label in content["labels"].items()}
    except (IGRError, OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if made_for != size:
        raise IGRError(
            f"{url} has {size} bytes, but its index was made for a tar of {made_for} bytes: copy the tar again, "
            f"or delete {url}{INDEX_ENDING} if the tar was replaced."
        )
    return TarIndex(url, samples, labels)


def _place(at: Any, length: Any, size: int) -> tuple[int, int]:
    """Check the offset and length of a member in a tar of `size` bytes; raises ValueError if they are invalid."""
    if type(at) is not int or type(length) is not int or at < 0 or length < 0 or at + length > size:
        raise ValueError("the offset or length is invalid")
    return at, length


def _size(url: str) -> int:
    place = remote(url)
    try:
        return Path(url).stat().st_size if place is None else int(place[0].size(place[1]))
    except (OSError, ValueError, TypeError) as error:
        raise _unopened(url, error) from error


def _open(url: str) -> IO[bytes]:
    place = remote(url)
    try:
        return Path(url).open("rb") if place is None else place[0].open(place[1], "rb", block_size=_BLOCK)
    except (OSError, ValueError) as error:
        raise _unopened(url, error) from error


def _unopened(url: str, error: Exception) -> IGRError:
    reason = getattr(error, "strerror", None) or error
    return IGRError(f"{url} cannot be opened ({reason}): check the address, the connection and the permissions.")
