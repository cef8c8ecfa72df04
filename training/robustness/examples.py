"""Draw an image of one person with masks corrupted in each way, and the garment restored from each mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.model.config import ViewConfig
from igr_core.photo.image_files import decode_image
from igr_core.photo.images import photo_of_image
from igr_core.photo.masks import mask_box
from igr_core.photo.overlay import overlay
from igr_core.photo.view import place

from ..data.caches.draw_config import DrawConfig
from ..data.synthetic import make_pair
from .corruptions import KINDS
from .measuring import corrupted_mask
from .plots import LABELS
from .results import CLEAN, NO_MASK, Robustness, condition_of

SHOWN = (0.9, 0.7, 0.5)
"""Target IoUs to show."""
CELL = (132, 176)
GAP, TITLE = 6, 22
INK, PAPER, LINE = (32, 32, 32), (255, 255, 255), (216, 216, 216)
AROUND = 0.16
"""Context to show around the garment, as a fraction of its longer side."""
_PHOTOS = DrawConfig()


def draw_examples(path: Path, found: Robustness, garments: Path, seed: int | None = None) -> None:
    """Draw one person from a measurement as a JPEG; `garments` is the folder of restored garments next to the results.

    Without a seed, the first photo is used. Raises IGRError for a seed that was not measured or has no garments.
    """
    seed = found.seeds[0] if seed is None else seed
    if seed not in found.seeds:
        raise IGRError(f"Seed {seed} was not measured: choose {', '.join(map(str, found.seeds))}.")
    pair = make_pair(seed, _PHOTOS.photo_size, coarse=_PHOTOS.coarse)
    mask = np.asarray(pair.garment_mask) > 127
    rows = [[(CLEAN, None), (NO_MASK, None), None], *([(kind, level) for level in SHOWN] for kind in KINDS)]
    wide, high = 2 * CELL[0] + 3 * GAP, TITLE + CELL[1] + GAP
    sheet = Image.new("RGB", (len(SHOWN) * wide + GAP, len(rows) * high + GAP), PAPER)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            corner = (GAP + x * wide, GAP + y * high)
            if cell is None:
                _paste(sheet, corner, "true garment", [pair.garment])
                continue
            kind, aim = cell
            condition = condition_of(found.result(kind, aim))
            masked = _masked(pair.person, corrupted_mask(mask, kind, aim, seed).mask)
            if kind != NO_MASK:
                masked = masked.crop(_around(mask))
            restored = _opened(garments / condition.name / f"{seed}.png")
            overlap = condition.overlap[found.seeds.index(seed)]
            _paste(sheet, corner, _title(kind, overlap), [masked, restored])
    make_folder(path.parent)
    with atomic_file(path) as temporary:
        sheet.save(temporary, format="JPEG", quality=85)


def _title(kind: str, overlap: float) -> str:
    if kind == CLEAN:
        return "clean mask, and what is restored"
    return f"{'whole photo as mask' if kind == NO_MASK else LABELS[kind]}, IoU {overlap:.2f}"


def _masked(photo: Image.Image, mask: np.ndarray) -> Image.Image:
    """The photo, faded outside the mask, bool (h, w)."""
    picture = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
    shown = overlay(picture, torch.from_numpy(mask)[None, None].float())
    return Image.fromarray((shown[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy())


def _around(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Box around the garment with a cell's aspect ratio, inside the photo as far as possible."""
    height, width = mask.shape
    garment = mask_box(torch.from_numpy(mask)[None, None].float())
    left, top, right, bottom = place(garment, (width, height), CELL, ViewConfig(mode="focused", margin=AROUND)).box
    x, y = min(max(0.0, left), width - (right - left)), min(max(0.0, top), height - (bottom - top))
    return round(x), round(y), round(x + right - left), round(y + bottom - top)


def _opened(path: Path) -> Image.Image:
    try:
        return photo_of_image(decode_image(path, str(path)), str(path))
    except IGRError as error:
        raise IGRError(f"{error} Use the folder written by `python -m training evaluate robustness run`.") from error


def _paste(sheet: Image.Image, corner: tuple[int, int], title: str, pictures: list[Image.Image]) -> None:
    left, top = corner
    pen = ImageDraw.Draw(sheet)
    pen.text((left, top + TITLE // 2), title, fill=INK, font=ImageFont.load_default(13), anchor="lm")
    for number, picture in enumerate(pictures):
        x, y = left + number * (CELL[0] + GAP), top + TITLE
        sheet.paste(picture.resize(CELL, Image.Resampling.LANCZOS), (x, y))
        pen.rectangle((x - 1, y - 1, x + CELL[0], y + CELL[1]), outline=LINE)
