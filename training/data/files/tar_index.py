"""Offsets of a tar's members, for random access on a disk, on a web server or in a bucket."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.storage import local_path, remote

from ...base.files import check_regular
from .images import read_json
from .tar_headers import Member, read_members

INDEX_ENDING = ".index.json"
"""Suffix of the index file beside a tar; with an index, the tar need not be scanned."""
PIECES, _PIECE = 16, 4096
"""Number of parts of a tar that are hashed for its index, and the length of each in bytes."""
_BLOCK = 1 << 16


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
                with local_path(self.url).open("rb") as file:
                    file.seek(offset)
                    data = file.read(size)
        except (OSError, ValueError) as error:
            remedy = "check the disk" if place is None else "check the URL and the connection"
            raise IGRError(f"{name} cannot be read ({error}): {remedy}.") from error
        if len(data) != size:
            raise IGRError(
                f"{name} ends after {len(data)} of {size} bytes: it was changed or is truncated; copy the tar again."
            )
        return data


def index_tar(url: str) -> TarIndex:
    """Index a tar from its index file, or from its headers if the index file is missing or belongs to another tar.

    Raises IGRError if the file is missing, a pipe, truncated or not a tar.
    """
    size = _size(url)
    beside, fits = _read_index(url, size)
    if beside is not None and fits:
        return beside
    found = scan_tar(url, size)
    if beside is not None:
        _check_whole(found, beside)
    return found


def scan_tar(url: str, size: int) -> TarIndex:
    """Index a tar of `size` bytes from its headers, ignoring its index file; raises IGRError as index_tar does."""
    with _open(url) as file:
        return read_headers(file, size, url)


def read_headers(file: IO[bytes], size: int, url: str) -> TarIndex:
    """Index an open tar of `size` bytes from its headers; `url` is its name in messages."""
    index = TarIndex(url)
    members = read_members(file, size, url)
    try:
        for member in members:
            _note(index, file, member)
    except OSError as error:
        raise _unopened(url, error) from error
    if not index.samples:
        raise IGRError(f"{url} contains no samples: a sample is KEY.person.jpg, KEY.mask.png, KEY.json and so on.")
    return index


def write_index(path: Path) -> None:
    """Write the index file of a local tar, replacing any existing index file."""
    size = path.stat().st_size
    index = scan_tar(str(path), size)
    with path.open("rb") as file:
        content = index_bytes(index, size, lambda at, length: _read_at(file, at, length))
    with atomic_file(path.with_name(path.name + INDEX_ENDING)) as temporary:
        temporary.write_bytes(content)


def index_bytes(index: TarIndex, size: int, read: Callable[[int, int], bytes]) -> bytes:
    """Content of the index file for a tar of `size` bytes; `read` returns the bytes at an offset."""
    pieces = sample_of(size, read)
    return json.dumps({"size": size, "pieces": pieces, "samples": index.samples, "labels": index.labels}).encode()


def sample_of(size: int, read: Callable[[int, int], bytes]) -> str:
    """Hash of PIECES parts spread over a tar; unlike the modification time, it is the same for every copy."""
    digest = hashlib.sha256()
    for at in _piece_places(size):
        digest.update(read(at, _PIECE))
    return digest.hexdigest()


def _piece_places(size: int) -> list[int]:
    return [max(0, size - _PIECE) * number // (PIECES - 1) for number in range(PIECES)]


def _read_at(file: IO[bytes], at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _note(index: TarIndex, file: IO[bytes], member: Member) -> None:
    folder, _, name = member.name.removeprefix("./").rpartition("/")
    stem, _, ending = name.partition(".")
    if not stem or not ending:
        return
    key, ending = f"{folder}/{stem}" if folder else stem, ending.casefold()
    sample = index.samples.setdefault(key, {})
    if ending in sample:
        raise IGRError(f"{index.url} contains {key}.{ending} twice: write the shards again.")
    sample[ending] = (member.offset, member.size)
    if ending == "json":
        label = read_json(_read_at(file, member.offset, member.size), f"{index.url}:{key}.json")
        if not isinstance(label, dict):
            raise IGRError(f'{index.url}:{key}.json must be a mapping such as {{"category": "upper"}}.')
        index.labels[key] = {name: value for name, value in label.items() if name != "keypoints"}


def _check_whole(found: TarIndex, beside: TarIndex) -> None:
    """Raise IGRError if the tar only has the first members of its index, as after an interrupted download."""
    members, wanted = (
        {(key, ending, *place) for key, endings in one.samples.items() for ending, place in endings.items()}
        for one in (found, beside)
    )
    if members < wanted:
        raise IGRError(
            f"{found.url} is damaged, because {len(wanted - members):,} of the {len(wanted):,} members in its index "
            f"are missing: copy the tar again, or delete {found.url}{INDEX_ENDING} if the tar was replaced."
        )


def _read_index(url: str, size: int) -> tuple[TarIndex | None, bool]:
    """Return a tar's index, or None if the index file is missing or damaged, and whether it belongs to this tar.

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
        return None, False
    if made_for != size:
        raise IGRError(
            f"{url} is {size} bytes, but its index was made for a tar of {made_for} bytes: copy the tar again, "
            f"or delete {url}{INDEX_ENDING} if the tar was replaced."
        )
    found = TarIndex(url, samples, labels)
    pieces = content.get("pieces")
    return found, _fits_headers(found) if pieces is None else pieces == _sample_at(url, size)


def _sample_at(url: str, size: int) -> str:
    """sample_of the tar at a path or URL."""
    places = _piece_places(size)
    parts = _ranges(url, [(at, min(_PIECE, size - at)) for at in places])
    read = dict(zip(places, parts, strict=True))
    return sample_of(size, lambda at, _: read[at])


def _fits_headers(index: TarIndex) -> bool:
    """Whether some of the tar's headers match an index from an earlier version, which has no `pieces` to compare."""
    members = [(f"{key}.{ending}", *at) for key, endings in index.samples.items() for ending, at in endings.items()]
    spread = [members[number * (len(members) - 1) // (PIECES - 1)] for number in range(PIECES)] if members else []
    if any(at < tarfile.BLOCKSIZE for _, at, _ in spread):
        return False
    blocks = _ranges(index.url, [(at - tarfile.BLOCKSIZE, tarfile.BLOCKSIZE) for _, at, _ in spread])
    return all(_is_header_of(block, name, size) for block, (name, _, size) in zip(blocks, spread, strict=True))


def _is_header_of(block: bytes, name: str, size: int) -> bool:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    if len(os.fsencode(name)) >= tarfile.LENGTH_NAME:  # the full name is in a separate header
        return header.size == size
    return (header.size, header.name.removeprefix("./").casefold()) == (size, name.casefold())


def _ranges(url: str, places: list[tuple[int, int]]) -> list[bytes]:
    """Bytes at some offsets and lengths of a local or remote file; parts of remote files are fetched concurrently."""
    place = remote(url)
    if place is None:
        with _open(url) as file:
            return [_read_at(file, at, length) for at, length in places]
    starts, ends = [at for at, _ in places], [at + length for at, length in places]
    try:
        return list(place[0].cat_ranges([place[1]] * len(places), starts, ends))
    except (OSError, ValueError) as error:
        raise _unopened(url, error) from error


def _place(at: Any, length: Any, size: int) -> tuple[int, int]:
    """Check the offset and length of a member in a tar of `size` bytes; raises ValueError if they are invalid."""
    if type(at) is not int or type(length) is not int or at < 0 or length < 0 or at + length > size:
        raise ValueError("the offset or length is invalid")
    return at, length


def _size(url: str) -> int:
    place = remote(url)
    if place is None and os.path.exists(local_path(url)):
        check_regular(local_path(url), "choose a tar file")
    try:
        return local_path(url).stat().st_size if place is None else int(place[0].size(place[1]))
    except (OSError, ValueError, TypeError) as error:
        raise _unopened(url, error) from error


def _open(url: str) -> IO[bytes]:
    place = remote(url)
    try:
        return local_path(url).open("rb") if place is None else place[0].open(place[1], "rb", block_size=_BLOCK)
    except (OSError, ValueError) as error:
        raise _unopened(url, error) from error


def _unopened(url: str, error: Exception) -> IGRError:
    reason = getattr(error, "strerror", None) or error
    return IGRError(f"{url} cannot be opened ({reason}): check the address, the connection and the permissions.")
