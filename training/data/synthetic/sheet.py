"""Contact sheets of drawn pairs."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from igr_core.files import make_folder

from .compose import Pair, make_pair
from .photo.masks import eroded


def contoured(pair: Pair) -> Image.Image:
    """The person with the contour of the mask in magenta."""
    picture = pair.person.copy()
    rim = np.asarray(pair.garment_mask) - np.asarray(eroded(pair.garment_mask, 1))
    picture.paste((255, 0, 255), (0, 0), Image.fromarray(rim))
    return picture


def row(pair: Pair) -> Image.Image:
    """Person | contour | agnostic mask | garment, side by side with a caption."""
    width, height = pair.person.size
    strip = Image.new("RGB", (4 * width + 6, height + 14), (90, 90, 90))
    for k, picture in enumerate((pair.person, contoured(pair), pair.agnostic_mask.convert("RGB"), pair.garment)):
        strip.paste(picture, (k * (width + 2), 14))
    words = pair.attributes
    caption = " ".join(
        str(words[k])
        for k in ("cut", "pattern", "print", "text", "occlusion", "defect")
        if words.get(k, "none") not in ("", "none")
    )
    ImageDraw.Draw(strip).text((3, 1), caption, fill=(255, 255, 255))
    return strip


def resized(pair: Pair, width: int) -> Pair:
    """The pair, with the images that appear on a sheet resized to `width` pixels wide."""
    size = (width, width * 4 // 3)
    return replace(
        pair,
        person=pair.person.resize(size, Image.Resampling.LANCZOS),
        garment=pair.garment.resize(size, Image.Resampling.LANCZOS),
        garment_mask=pair.garment_mask.resize(size, Image.Resampling.NEAREST),
        agnostic_mask=pair.agnostic_mask.resize(size, Image.Resampling.NEAREST),
    )


def sheet(pairs: list[Pair], columns: int) -> Image.Image:
    """A grid of strips, one for each pair."""
    strips = [row(p) for p in pairs]
    width, height = strips[0].size
    rows = -(-len(strips) // columns)
    out = Image.new("RGB", (columns * (width + 8), rows * (height + 4)), (40, 40, 40))
    for k, strip in enumerate(strips):
        out.paste(strip, ((k % columns) * (width + 8), (k // columns) * (height + 4)))
    return out


def write_sheets(
    folder: Path,
    count: int,
    seed: int,
    size: tuple[int, int],
    defect: str | None = None,
    category: str | None = None,
    per_sheet: int = 24,
    columns: int = 3,
    coarse: float = 0.0,
) -> list[Path]:
    """Write contact sheets of `count` pairs, starting at `seed`; returns their paths."""
    drawn = (make_pair(s, size, category=category, defect=defect, coarse=coarse) for s in range(seed, seed + count))
    return write_pairs(folder, drawn, f"sheet_{defect or 'clean'}", seed, per_sheet, columns)


def write_pairs(
    folder: Path, pairs: Iterable[Pair], stem: str, first: int = 0, per_sheet: int = 24, columns: int = 3
) -> list[Path]:
    """Write contact sheets STEM_00000.png of pairs, numbered from `first`; returns their paths."""
    make_folder(folder)
    left = iter(pairs)
    paths = []
    while some := list(islice(left, per_sheet)):
        path = folder / f"{stem}_{first + len(paths) * per_sheet:05d}.png"
        sheet(some, columns).save(path)
        paths.append(path)
    return paths
