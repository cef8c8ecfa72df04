"""Read the headers of a tar up to its end, and check that the tar is complete."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Mapping
from typing import IO, NamedTuple

from igr_core.errors import IGRError

MOST_PADDING = 1 << 20
"""Maximum number of zero bytes at the end of a tar: tar pads the last record, which is 10 KiB by default."""
_PIECE = 1 << 16
_MOST_LINKS = 40


class Member(NamedTuple):
    """A file in a tar."""

    name: str
    """Path in the tar."""
    offset: int
    """Offset in bytes of its content."""
    size: int
    """Size in bytes of its content."""


def read_members(file: IO[bytes], size: int, url: str) -> list[Member]:
    """The files in an open tar of `size` bytes, in order; `url` is its name in messages.

    A link has the content of the file that it points to. Raises IGRError if the file is truncated, damaged or not a
    tar, if other data follows its end, or if a member cannot be read at random.
    """
    found: list[Member | tuple[str, str]] = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if member.issym() or member.islnk():
                    found.append((member.name, _target(member)))
                elif member.issparse():
                    raise IGRError(f"{url} stores {member.name} as a sparse file: write the tar without --sparse.")
                elif member.isfile():
                    if member.offset_data + member.size > size:
                        raise IGRError(f"{url} is truncated within {member.name}: copy the tar again.")
                    found.append(Member(member.name, member.offset_data, member.size))
            _check_end(file, tar.offset, size, url)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise IGRError(
            f"{url} is not a readable tar ({error}): copy the tar again; it must not be compressed."
        ) from error
    return _resolved(found, url)


def _target(member: tarfile.TarInfo) -> str:
    """Path in the tar of the file that a link points to."""
    if member.islnk():
        return posixpath.normpath(member.linkname)
    return posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))


def _resolved(found: list[Member | tuple[str, str]], url: str) -> list[Member]:
    """The members, with each link that is named like a part of a sample replaced by its target's content."""
    files: dict[str, Member] = {}
    links: dict[str, str] = {}
    for one in found:
        if isinstance(one, Member):
            files[posixpath.normpath(one.name)] = one
        else:
            links[posixpath.normpath(one[0])] = one[1]
    members: list[Member] = []
    for one in found:
        if isinstance(one, Member):
            members.append(one)
        elif all(posixpath.basename(one[0]).partition(".")[::2]):
            content = _followed(one[1], files, links)
            if content is None:
                raise IGRError(
                    f"{url} contains {one[0]}, a link to {one[1]}, which is not a file in the tar: write the tar again "
                    "with the file in place of the link."
                )
            members.append(content._replace(name=one[0]))
    return members


def _followed(target: str, files: Mapping[str, Member], links: Mapping[str, str]) -> Member | None:
    """The file that a link points to, possibly through other links; None if there is none."""
    for _ in range(_MOST_LINKS):
        if target in files or target not in links:
            break
        target = links[target]
    return files.get(target)


def _check_end(file: IO[bytes], end: int, size: int, url: str) -> None:
    """Raise IGRError unless only padding follows the last member, which ends at `end`."""
    file.seek(end)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile stops here without an error
        raise IGRError(f"{url} is truncated or damaged after {end} bytes: copy the tar again.")
    while piece := file.read(_PIECE):
        if piece.count(0) != len(piece):
            raise IGRError(
                f"{url} has more data after its end at byte {end}: copy the tar again if it is damaged; if several "
                "tars were joined with cat, keep each of them in its own file."
            )
    if size - end > MOST_PADDING:
        raise IGRError(
            f"{url} is damaged, because its last {size - end:,} of {size:,} bytes are zero: copy the tar again."
        )
