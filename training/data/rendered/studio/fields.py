"""Store smooth fields of 16-bit numbers as bytes that compress well."""

from __future__ import annotations

import numpy as np


class Reader:
    """Reads bytes part by part."""

    def __init__(self, data: bytes) -> None:
        self._data = np.frombuffer(data, np.uint8)
        self._at = 0

    def take(self, count: int) -> np.ndarray:
        """The next `count` bytes as uint8; raises ValueError if there are fewer."""
        if self._at + count > len(self._data):
            raise ValueError("the data is truncated")
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> np.ndarray:
        """All remaining bytes."""
        return self.take(len(self._data) - self._at)


def pack_field(values: np.ndarray, valid: np.ndarray) -> bytes:
    """Values (h, w, c) uint16 as 2 h w c bytes: the difference between each value and its prediction from neighbours.

    Values that are not `valid` (h, w) are lost; they are replaced by values that are easy to predict.
    """
    filled = _carried_on(values, valid)
    changes = np.diff(filled, axis=0, prepend=np.zeros_like(filled[:1]))
    changes = np.diff(changes, axis=1, prepend=np.zeros_like(changes[:, :1]))
    signed = changes.view(np.int16)
    # small numbers of either sign become small unsigned numbers, so that the upper bytes are nearly all 0
    folded = ((signed << 1) ^ (signed >> 15)).astype(np.int16).view(np.uint16)
    planes = folded.transpose(2, 0, 1)
    return (planes & 0xFF).astype(np.uint8).tobytes() + (planes >> 8).astype(np.uint8).tobytes()


def unpack_field(reader: Reader, shape: tuple[int, int, int]) -> np.ndarray:
    """The values of a field of `shape` (h, w, c) in the next 2 h w c bytes, as planes (c, h, w) uint16."""
    height, width, channels = shape
    count = height * width * channels
    low, high = reader.take(count), reader.take(count)
    folded = low.astype(np.uint16) | (high.astype(np.uint16) << 8)
    changes = (folded >> 1) ^ (np.uint16(0) - (folded & np.uint16(1)))
    planes = np.cumsum(changes.reshape(channels, height, width), axis=2, dtype=np.uint16)
    return np.cumsum(planes, axis=1, dtype=np.uint16, out=planes)


def _carried_on(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """`values` (h, w, c) with each invalid value replaced by the last valid value to its left or, failing that, above
    it."""
    columns = np.maximum.accumulate(np.where(valid, np.arange(valid.shape[1]), 0), axis=1)
    rows = np.arange(valid.shape[0])[:, None]
    filled = values[rows, columns]
    empty = ~valid.any(axis=1)
    lines = np.maximum.accumulate(np.where(empty, 0, np.arange(len(empty))))
    return np.ascontiguousarray(np.where(valid[..., None], values, filled)[lines])
