"""A small cache, and keys that identify files and photos. Independent of ComfyUI."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

Key, Value = TypeVar("Key", bound=Hashable), TypeVar("Value")


class Cache(OrderedDict[Key, Value]):
    """A cache of the `count` most recently used values."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def take(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key, created if missing."""
        value = self.pop(key) if key in self else make()
        self[key] = value
        while len(self) > self.count:
            self.popitem(last=False)
        return value


def state(path: Path) -> str:
    """A key for the current state of a file, or of the files in a folder."""
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    return " ".join([str(path), *(f"{one.stat().st_size}:{one.stat().st_mtime_ns}" for one in parts)])


def digest(photo: Tensor) -> str:
    """A key for a photo (1, 3, H, W) in 0..1, computed from its 8-bit values, which are what a segmenter sees."""
    pixels = photo.float().clamp(0, 1).mul(255).round().to(torch.uint8).cpu().contiguous()
    return f"{tuple(photo.shape)} {hashlib.sha256(pixels.numpy().tobytes()).hexdigest()}"
