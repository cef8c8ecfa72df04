"""Contact sheets of synthetic pairs."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from igr_core.files import make_folder

from .compose import Pair, make_pair
from .masks import eroded


def contoured(pair: Pair) -> Image.Image:
    """The person with the mask's contour in magenta."""
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
        if words[k] not in ("", "none")
    )
    ImageDraw.Draw(strip).text((3, 1), caption, fill=(255, 255, 255))
    return strip


def sheet(pairs: list[Pair], columns: int) -> Image.Image:
    """A grid of rows of pairs."""
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
    """Write contact sheets of `count` pairs from `seed` on; gives the paths."""
    make_folder(folder)
    paths = []
    for start in range(0, count, per_sheet):
        seeds = range(seed + start, seed + min(start + per_sheet, count))
        pairs = [make_pair(s, size, category=category, defect=defect, coarse=coarse) for s in seeds]
        path = folder / f"sheet_{defect or 'clean'}_{seed + start:05d}.png"
        sheet(pairs, columns).save(path)
        paths.append(path)
    return paths
