"""A file of prepared pairs, read row by row, so that a truncated or changed file raises an error.

A memory map would be as fast, but reading a page that no longer exists in the file kills the process with SIGBUS.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.json_text import parse_json
from igr_core.model.config import CATEGORIES

FIELDS = ("garment_latent", "person_latent", "mask", "image_features", "category", "seed")
"""Tensors of a shard: (N, 4, h, w) twice, (N, 1, h, w) at latent size, (N, ...), (N,), (N,)."""

OPTIONAL_FIELDS = ("correspondence",)
"""Optional tensors of a shard: (N, 2, h, w)."""

_LONGEST_HEADER = 100_000_000
_TYPES = {"F16": np.float16, "F32": np.float32, "U8": np.uint8, "I64": np.int64}
_RANKS = {"garment_latent": 4, "person_latent": 4, "mask": 4, "category": 1, "seed": 1, "correspondence": 4}
_NUMBERS = {"category": ("U8", "I64"), "seed": ("I64",)}
"""Types of the tensors that contain whole numbers."""
_WIDTHS = {"mask": 1, "correspondence": 2}


class Shard:
    """The tensors of some pairs on disk, checked when the file is opened."""

    def __init__(self, path: Path) -> None:
        """Read the header, categories and seeds; raises IGRError with the problem if the shard is not complete."""
        self.path = path
        try:
            with path.open("rb") as file:
                self._stamp = _stamp(file)
                size = int.from_bytes(file.read(8), "little")
                if size > min(_LONGEST_HEADER, self._stamp[0]):
                    raise ValueError("its header is longer than the file")
                header = _parsed(file.read(size), "its header")
            self._start = 8 + size
            metadata = header.pop("__metadata__", {})
            self.settings: dict[str, Any] = _parsed(metadata["settings"], "settings")
            """Settings of the pairs, as recorded by prepare: VAE, image encoder and layout."""
            self.names: list[str] = _parsed(metadata.get("names", "[]"), "names")
            """Names of the pairs, if the shard contains them."""
            self._garments: list[str | None] = _parsed(metadata.get("garments", "[]"), "garments")
            self._entries = {
                name: _Entry.of(name, header[name])
                for name in (*FIELDS, *OPTIONAL_FIELDS)
                if name in FIELDS or name in header
            }
            self._check()
            self._check_metadata()
            self.categories = self._checked_categories()
            """The category of each pair."""
            self.seeds: list[int] = self.rows("seed", range(len(self))).tolist()
            """The number of each pair: the seed of a drawn pair, or a hash of its name."""
            if min(self.seeds) < 0:
                raise ValueError(f"seed is negative ({min(self.seeds)})")
        except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise IGRError(
                f"{path} is not a complete shard of prepared pairs ({error}): delete it and prepare again."
            ) from error

    def __len__(self) -> int:
        return self._entries["seed"].shape[0]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the tensors."""
        return tuple(self._entries)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of one pair's tensors."""
        return {name: entry.shape[1:] for name, entry in self._entries.items()}

    @property
    def garments(self) -> list[str | None]:
        """Name of each pair's garment; None if no other pair shows it."""
        return self._garments or [None] * len(self)

    def rows(self, name: str, numbers: Iterable[int], values: range | None = None) -> Tensor:
        """Tensors (P, ...) of some pairs in the stored type; raises IGRError if the file has changed since it was
        opened.

        With `values`, only these consecutive values of each tensor are read, and returned as (P, N).
        """
        entry, wanted, pieces = self._entries[name], list(numbers), []
        first, size = 0, entry.row_bytes
        if values is not None:
            first, size = values.start * entry.dtype.itemsize, len(values) * entry.dtype.itemsize
        in_a_row = values is None and wanted == list(range(wanted[0], wanted[0] + len(wanted)))
        try:
            with self.path.open("rb") as file:
                for number in wanted[:1] if in_a_row else wanted:
                    file.seek(self._start + entry.offset + number * entry.row_bytes + first)
                    pieces.append(file.read(size * (len(wanted) if in_a_row else 1)))
                changed = _stamp(file) != self._stamp or sum(map(len, pieces)) != len(wanted) * size
        except OSError as error:
            raise IGRError(f"{self.path} could not be read ({error.strerror}): check the disk.") from error
        if changed:
            raise IGRError(f"{self.path} was changed while it was in use: prepare the shard again, and restart.")
        flat = np.frombuffer(bytearray(b"".join(pieces)), dtype=entry.dtype)
        return torch.from_numpy(flat).view(len(wanted), *(entry.shape[1:] if values is None else (len(values),)))

    def finite_rows(self, name: str, numbers: Iterable[int]) -> Tensor:
        """Like `rows`, but in float32.

        Raises IGRError naming the shard and the pair if a value is not finite, or if a mask has values outside 0..1.
        """
        wanted = list(numbers)
        found = self.rows(name, wanted).float()
        whole = found.flatten(1).isfinite().all(1)
        if not bool(whole.all()):
            number = wanted[int(whole.int().argmin())]
            raise IGRError(
                f"{self.path} has a {name} that is not finite in pair {self.name(number)}: delete the shard and "
                "prepare it again; if this happens again, exclude the pair."
            )
        if name == "mask" and not 0 <= float(found.min()) <= float(found.max()) <= 1:
            number = wanted[int(((found < 0) | (found > 1)).flatten(1).any(1).int().argmax())]
            raise IGRError(
                f"{self.path} has a mask with values outside 0 to 1 in pair {self.name(number)}: delete the shard and "
                "prepare it again."
            )
        return found

    def places(self, number: int) -> Tensor:
        """A pair's correspondence (1, 2, h, w) as fractions of the view, NaN where the photo does not show the garment.

        Raises IGRError naming the shard and the pair if a place is far outside the view.
        """
        found = self.rows("correspondence", [number]).float()
        if not bool((found.isnan() | ((found - 0.5).abs() <= 1)).all()):
            raise IGRError(
                f"{self.path} has a correspondence far outside the view in pair {self.name(number)}: delete the shard "
                "and prepare it again."
            )
        return found

    def name(self, number: int) -> str:
        """A pair's name, or its seed if the shard has no names."""
        return self.names[number] if number < len(self.names) else str(self.seeds[number])

    def update(self, digest: hashlib.blake2b, count: int) -> None:
        """Hash the first `count` pairs: their tensors, their settings, and which of them show the same garment."""
        digest.update(json.dumps([self.settings, self.garments[:count]], sort_keys=True).encode())
        for name in sorted(self._entries):
            entry = self._entries[name]
            digest.update(f"{name} {entry.dtype} {entry.shape[1:]}".encode())
            for start in range(0, count, 64):
                rows = self.rows(name, range(start, min(start + 64, count)))
                digest.update(rows.reshape(-1).view(torch.uint8).numpy())

    def _check(self) -> None:
        count, end = len(self), self._stamp[0] - self._start
        latent = self._entries["garment_latent"].shape
        for name, entry in self._entries.items():
            if len(entry.shape) != _RANKS.get(name, len(entry.shape)) or entry.shape[0] != count:
                raise ValueError(f"{name} has shape {entry.shape} for {count} pairs")
            if name in ("person_latent", "mask", "correspondence") and entry.shape[2:] != latent[2:]:
                raise ValueError(f"{name} has shape {entry.shape}, but latents have {latent}")
            if name in _WIDTHS and entry.shape[1] != _WIDTHS[name]:
                raise ValueError(f"{name} has shape {entry.shape}, but must have size {_WIDTHS[name]} in dimension 1")
            if entry.offset < 0 or entry.offset + count * entry.row_bytes > end:
                raise ValueError(f"{name} is truncated")

    def _check_metadata(self) -> None:
        if not isinstance(self.settings, dict) or not isinstance(self.settings.get("data", {}), dict):
            raise ValueError("settings is not a mapping")
        for name, found, kinds in (("names", self.names, str), ("garments", self._garments, (str, type(None)))):
            if not isinstance(found, list) or not all(isinstance(one, kinds) for one in found):
                raise ValueError(f"{name} is not a list of names")
            if len(found) not in (0, len(self)):
                raise ValueError(f"{name} has {len(found)} entries for {len(self)} pairs")

    def _checked_categories(self) -> list[str]:
        numbers = self.rows("category", range(len(self))).tolist()
        wrong = [number for number in numbers if not 0 <= number < len(CATEGORIES)]
        if wrong:
            raise ValueError(f"category {wrong[0]} is not from 0 to {len(CATEGORIES) - 1}")
        return [CATEGORIES[int(number)] for number in numbers]


def _parsed(text: str | bytes, name: str) -> Any:
    """Parse JSON; raises ValueError with `name` if it is invalid."""
    try:
        return parse_json(text, name, "prepare again")
    except IGRError as error:
        raise ValueError(f"{name} is not valid JSON") from error


def _stamp(file: BinaryIO) -> tuple[int, int]:
    """Size and modification time of a file, to detect changes."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


class _Entry:
    """Location of a tensor in the file."""

    def __init__(self, dtype: type, shape: tuple[int, ...], offset: int) -> None:
        self.dtype, self.shape, self.offset = np.dtype(dtype), shape, offset
        self.row_bytes = math.prod(shape[1:]) * self.dtype.itemsize

    @classmethod
    def of(cls, name: str, header: Any) -> _Entry:
        """Parse an entry of the header; raises ValueError for types and shapes that shards do not have."""
        shape, (start, end) = tuple(header["shape"]), header["data_offsets"]
        if type(start) is not int or type(end) is not int:
            raise ValueError(f"{name} has the data_offsets {start!r} and {end!r}")
        numbers = _NUMBERS.get(name, ("F16", "F32"))
        if header["dtype"] not in numbers or not shape or not all(type(x) is int and x > 0 for x in shape):
            raise ValueError(f"{name} has type {header['dtype']} and shape {shape}")
        entry = cls(_TYPES[header["dtype"]], shape, start)
        if end - start != shape[0] * entry.row_bytes:
            raise ValueError(f"{name} has {end - start} bytes for shape {shape}")
        return entry
