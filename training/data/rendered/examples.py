"""Example persons for the nodes: rendered photos with masks, from held-out seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder

from ..contract.parsing import ATR
from .base.settings import RenderSettings
from .pairs import RenderedPair, dress_record

PHOTOS = {
    "upper": (10_003_005, 1),
    "upper_closeup": (10_003_005, 2),
    "lower": (10_003_015, 0),
    "full": (10_003_025, 0),
    "outfit": (10_003_024, 0),
}
"""Seed and photo of each example, chosen by hand to show several kinds of clothes; no model was trained on them."""
SIZE = (576, 768)
"""Width and height of the photos in pixels."""
QUALITY = 92
"""WebP quality."""
OUTFIT = "outfit"
"""The photo that has masks for two garments."""


def write_examples(out: Path) -> list[Path]:
    """Render the photos into `out` as NAME.webp and NAME_mask.png (two masks for the outfit); returns their paths.

    Raises IGRError if a photo cannot be rendered.
    """
    pairs = {name: render_example(name) for name in PHOTOS}  # render everything before replacing the first file
    make_folder(out)
    paths = []
    for name, pair in pairs.items():
        paths.append(_save(pair.person, out / f"{name}.webp", quality=QUALITY, method=6))
        paths += [_save(mask, out / file, optimize=True) for file, mask in masks_of(name, pair).items()]
    return paths


def render_example(name: str) -> RenderedPair:
    """Render one of PHOTOS; raises IGRError if it cannot be rendered."""
    from .capture.making import make_record

    seed, photo = PHOTOS[name]
    record, _ = make_record(seed, RenderSettings(SIZE, photos=photo + 1, held_out=True))
    if record is None or len(record.photos) <= photo:
        raise IGRError(f"Example {name} cannot be rendered from seed {seed}: choose another seed.")
    return dress_record(record, photo, held_out=True)


def masks_of(name: str, pair: RenderedPair) -> dict[str, Image.Image]:
    """File name and mask (L) of each garment in an example."""
    if name != OUTFIT:
        return {f"{name}_mask.png": pair.garment_mask}
    lower = np.isin(np.asarray(pair.parsing), ATR.garment["lower"])
    return {
        f"{name}_upper_mask.png": pair.garment_mask,
        f"{name}_lower_mask.png": Image.fromarray((255 * lower).astype(np.uint8)),
    }


def _save(picture: Image.Image, path: Path, **options: int | bool) -> Path:
    with atomic_file(path) as temporary:
        picture.save(temporary, format="WEBP" if path.suffix == ".webp" else "PNG", **options)
    return path
