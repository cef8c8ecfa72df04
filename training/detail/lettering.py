"""Measure how many of the printed words OCR finds in photos and in restored garments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.restore.detailed import Detailing, grid, restore_detailed
from igr_core.restore.restorer import GarmentRestorer
from igr_core.text import counted

from ..base.statistics import Interval, mean_interval
from ..evaluation.images.subjects import Subjects
from .runs import RunSettings

PHOTO, RESTORED, DETAILED, TRUTH = "photo", "restored", "restored with details", "truth"
IMAGES = (PHOTO, RESTORED, DETAILED, TRUTH)
"""The images of a garment in which words are read."""
_WHOLE = 4
"""Words of at least this many letters also count if OCR joins them with their neighbours."""


class WordReader:
    """OCR with rapidocr, whose networks are part of the package."""

    def __init__(self) -> None:
        """Raises IGRError if rapidocr is not installed."""
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise IGRError(
                f"Reading words needs {error.name}: install the `ocr` extra (pip install '.[ocr]')."
            ) from error
        self._engine: Any = RapidOCR(params={"Global.log_level": "critical"})

    def __call__(self, image: Tensor) -> tuple[str, ...]:
        """Lines of text in an image (3, H, W) in 0..1, in capitals."""
        pixels = (image.clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy(force=True)
        found = self._engine(np.ascontiguousarray(pixels[..., ::-1])).txts  # in OpenCV's order, BGR
        return tuple(line.upper() for line in found or ())


@dataclass(frozen=True)
class Read:
    """The words of one garment, and the lines that were read."""

    name: str
    """Name of the pair."""
    words: tuple[str, ...]
    """Words that are printed on the garment."""
    lines: dict[str, tuple[str, ...]]
    """Lines that were read in each of IMAGES."""

    def share(self, image: str) -> float:
        """Fraction of the words that were read in an image."""
        return sum(contains(self.lines[image], word) for word in self.words) / len(self.words)


@dataclass(frozen=True)
class LetteringScores:
    """Fractions of words that were read, averaged over garments."""

    garments: int
    """Number of garments."""
    size: tuple[int, int]
    """Width and height of the images that were read."""
    shares: dict[str, Interval]
    """Fraction of the printed words, for each of IMAGES."""
    of_truth: dict[str, float]
    """These fractions divided by the ground truth's."""
    read: tuple[Read, ...]
    """What was read for each garment."""


def contains(lines: Sequence[str], word: str) -> bool:
    """Whether a word is among the lines that were read."""
    if word in {part for line in lines for part in re.findall(r"[A-Z0-9]+", line)}:
        return True
    return len(word) >= _WHOLE and word in "".join(re.sub(r"[^A-Z0-9]", "", line) for line in lines)


def lettered(subjects: Subjects, count: int, progress: Callable[[int], object] | None = None) -> list[int]:
    """The first `count` pairs whose garment has printed words; raises IGRError if there are fewer than two.

    `progress` is called with the number of pairs that have just been checked.
    """
    found: list[int] = []
    for row in range(len(subjects)):
        if subjects.source.printed_words(row):
            found.append(row)
        if progress is not None:
            progress(1)
        if len(found) == count:
            break
    if len(found) < 2:
        has = f"has only {counted(len(found), 'garment')}" if found else "has no garments"
        raise IGRError(f"{subjects.source.title} {has} with words: use a data set with at least 2.")
    return found


@torch.no_grad()
def read_lettering(
    restorer: GarmentRestorer,
    subjects: Subjects,
    rows: Sequence[int],
    reader: Callable[[Tensor], tuple[str, ...]],
    size: tuple[int, int],
    settings: RunSettings,
) -> Iterator[tuple[Read, dict[str, Tensor]]]:
    """Restore pairs and read their words; yields what was read, and the images (3, h, w) by name.

    All images have the height of `size` (width, height); the photo is cropped to the garment.
    """
    model = restorer.info.model
    for row in rows:
        view = subjects.view([row], model)
        category = subjects.categories[row]
        found = restore_detailed(
            restorer,
            [view],
            category,
            Detailing(size=size),
            settings.sampling,
            seed=settings.seed + row,
        )
        images = {
            PHOTO: _enlarged(_garment_in_photo(subjects, row), size),
            RESTORED: _enlarged(found.candidates[0].image[0], size),
            DETAILED: found.image[0],
            TRUTH: _enlarged(subjects.truth(row), size),
        }
        lines = {name: reader(image) for name, image in images.items()}
        yield Read(subjects.names[row], subjects.source.printed_words(row), lines), images


def score_lettering(read: Sequence[Read], size: tuple[int, int]) -> LetteringScores:
    """Average over garments; raises IGRError for fewer than two."""
    shares = {name: mean_interval([one.share(name) for one in read]) for name in IMAGES}
    truth = shares[TRUTH].mean
    of_truth = {name: interval.mean / truth if truth else 0.0 for name, interval in shares.items()}
    return LetteringScores(len(read), size, shares, of_truth, tuple(read))


def lettering_table(scores: LetteringScores) -> str:
    """The scores as a Markdown table."""
    lines = ["| words read in | of the printed words | of those read in the truth |", "|---|---:|---:|"]
    for name in IMAGES:
        one = scores.shares[name]
        lines.append(f"| {name} | {one.mean:.1%} [{one.low:.1%}, {one.high:.1%}] | {scores.of_truth[name]:.0%} |")
    width, height = scores.size
    return "\n".join([*lines, "", f"{counted(scores.garments, 'garment')} with lettering, read at {width}x{height}."])


def sheet_of(rows: Sequence[dict[str, Tensor]], size: tuple[int, int]) -> Tensor:
    """An image (1, 3, H, W) in which each row shows a garment's images side by side, all of the same `size`."""
    cells = [_fitted(row[name], size[0])[None] for row in rows for name in IMAGES]
    return grid(cells, len(IMAGES))


def _fitted(image: Tensor, width: int) -> Tensor:
    """An image, cropped on both sides, or padded with white, to a width."""
    room = width - image.shape[-1]
    return F.pad(image, (room // 2, room - room // 2), value=1.0)


def _garment_in_photo(subjects: Subjects, row: int) -> Tensor:
    """The photo (3, h, w), cropped to the box around its mask."""
    photo, mask = subjects.photo(row)
    rows, columns = ((mask[0] > 0.5).any(axis).nonzero().flatten() for axis in (1, 0))
    return photo[:, int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]


def _enlarged(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize an image (3, h, w) to the height of `size`, preserving the aspect ratio."""
    height = size[1]
    width = max(1, round(image.shape[-1] * height / image.shape[-2]))
    resized = F.interpolate(image[None], (height, width), mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)
