"""Check a data set: read every pair once, list unreadable files, and write counts and a contact sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.model.config import CATEGORIES
from igr_core.photo.images import check_image_name
from igr_core.text import counted

from .contract.pairs import PairSource

CELL = (180, 240)
"""Width and height in pixels of an image on the contact sheet."""
PER_CATEGORY = 6
"""Number of pairs per category on the contact sheet."""
MAX_SIZES = 4
"""Maximum number of image sizes to list, most frequent first."""
_GAP, _CAPTION, _COLUMNS = 4, 16, 2
_BACKGROUND, _PAPER, _INK, _MASK = (40, 40, 40), (90, 90, 90), (240, 240, 240), (255, 0, 255)


@dataclass(frozen=True)
class PairReport:
    """Findings for one pair."""

    photo_size: tuple[int, int] | None
    """Width and height of the photo; None if it cannot be read."""
    garment_size: tuple[int, int] | None
    """Width and height of the flat garment; None if there is none."""
    has_parsing: bool
    """Whether the pair has a parsing map."""
    has_keypoints: bool
    """Whether the pair has joints."""
    problems: tuple[str, ...]
    """A sentence for each file that is missing, unreadable or inconsistent with the others."""


def check_pair(source: PairSource, index: int) -> PairReport:
    """Read all files of one pair."""
    problems: dict[str, None] = {}

    def tried(read: Callable[[int], object]) -> object:
        try:
            return read(index)
        except IGRError as error:
            problems[str(error)] = None
            return None

    person = tried(source.person)
    garment = tried(source.garment) if source.has_garments else None
    tried(source.mask)
    parsing, keypoints = tried(source.parsing), tried(source.keypoints)
    if source.has_garments:
        tried(source.garment_cover)
    sizes = [picture.size if isinstance(picture, Image.Image) else None for picture in (person, garment)]
    return PairReport(*sizes, parsing is not None, keypoints is not None, tuple(problems))


def check_pairs(source: PairSource, workers: int) -> list[PairReport]:
    """Read every pair of a data set, `workers` at a time."""
    with ThreadPoolExecutor(workers) as pool:
        reports = pool.map(lambda index: check_pair(source, index), range(len(source)))
        return list(tqdm(reports, total=len(source), unit="pair", desc=f"reading {source.title}"))


def summary(source: PairSource, reports: Sequence[PairReport]) -> str:
    """Summarise the contents of a data set in a few lines."""
    categories = Counter(entry.category for entry in source.entries)
    counts = ", ".join(f"{name} {categories[name]:,}" for name in CATEGORIES if categories[name])
    left_out = len(source.left_out)
    lines = [
        f"{source.title} ({source.layout}): {counted(len(source), 'pair')}; {counts}",
        f"  skipped known duplicates and train / test leaks: {left_out:,}" if left_out else "",
        f"  photos {_sizes(one.photo_size for one in reports)}",
        f"  garments {_sizes(one.garment_size for one in reports)}" if source.has_garments else "  no flat garments",
        f"  parsing maps for {sum(one.has_parsing for one in reports):,}, "
        f"joints for {sum(one.has_keypoints for one in reports):,}",
    ]
    return "\n".join(line for line in lines if line)


def write_sheet(path: Path, source: PairSource, reports: Sequence[PairReport], per_category: int = PER_CATEGORY) -> int:
    """Write a contact sheet (person | mask | garment) with complete pairs of each category, spread over the data set.

    Returns the number of pairs on the sheet; raises IGRError if `path` does not name an image file.
    """
    check_image_name(path, "RGB")
    whole = [row for row, report in enumerate(reports) if not report.problems]
    chosen = []
    for category in CATEGORIES:
        rows = [row for row in whole if source.entries[row].category == category]
        count = min(per_category, len(rows))
        chosen += [rows[(2 * place + 1) * len(rows) // (2 * count)] for place in range(count)]
    if not chosen:
        raise IGRError(f"{source.title} has no readable pairs, so {path} was not written: fix the files listed above.")
    strips = [_strip(source, row) for row in chosen]
    columns = min(_COLUMNS, len(strips))
    width, height = strips[0].width + 2 * _GAP, strips[0].height + 2 * _GAP
    sheet = Image.new("RGB", (columns * width, -(-len(strips) // columns) * height), _BACKGROUND)
    for place, strip in enumerate(strips):
        sheet.paste(strip, (place % columns * width + _GAP, place // columns * height + _GAP))
    make_folder(path.parent)
    with atomic_file(path) as temporary:
        sheet.save(temporary)
    return len(chosen)


def _strip(source: PairSource, row: int) -> Image.Image:
    person = source.person(row)
    pictures = [person, _marked(person, source.mask(row))]
    if source.has_garments:
        pictures.append(source.garment(row))
    width, height = CELL
    strip = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height + _CAPTION), _PAPER)
    for place, picture in enumerate(pictures):
        strip.paste(ImageOps.pad(picture, CELL, Image.Resampling.LANCZOS, _PAPER), (place * (width + _GAP), _CAPTION))
    entry = source.entries[row]
    ImageDraw.Draw(strip).text((3, 2), f"{entry.name}  {entry.category}", fill=_INK)
    return strip


def _marked(person: Image.Image, mask: Image.Image) -> Image.Image:
    """The photo with the mask tinted and outlined, shrunk to a cell first so that the outline stays visible."""
    shrunk, inside = (ImageOps.contain(picture, CELL) for picture in (person, mask))
    inside = inside.point(lambda value: 255 if value > 127 else 0)
    tint = Image.new("RGB", shrunk.size, _MASK)
    marked = Image.composite(Image.blend(shrunk, tint, 0.35), shrunk, inside)
    rim = np.array(inside.filter(ImageFilter.MaxFilter(3))) != np.array(inside)
    marked.paste(_MASK, (0, 0), Image.fromarray(rim))
    return marked


def _sizes(sizes: Iterable[tuple[int, int] | None]) -> str:
    found = Counter(size for size in sizes if size is not None)
    named = [f"{width}x{height} ({count:,})" for (width, height), count in found.most_common(MAX_SIZES)]
    more = f" and {len(found) - MAX_SIZES} more sizes" if len(found) > MAX_SIZES else ""
    return f"{', '.join(named) or 'none readable'}{more}"
