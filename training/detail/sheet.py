"""Draw what the photo's details add: photo, restored garment, evidence, details and ground truth, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from igr_core.detail.report import draw_evidence
from igr_core.restore.background_removal import garment_alpha
from igr_core.restore.detailed import Detailing, restore_detailed
from igr_core.restore.restorer import GarmentRestorer

from ..evaluation.images.subjects import Subjects
from .runs import RunSettings

COLUMNS = ("photo", "restored", "evidence", "with details", "truth")
_TITLE = 22
_GAP = 6


@torch.no_grad()
def detail_sheet(
    restorer: GarmentRestorer,
    subjects: Subjects,
    rows: Sequence[int],
    size: tuple[int, int],
    settings: RunSettings,
    across: int = 2,
    progress: Callable[[int], object] | None = None,
) -> Image.Image:
    """Restore pairs, `across` of them per line, each as the images of COLUMNS at `size` (width, height).

    The photo's view is shown, with everything but the garment dimmed. `progress` is called with 1 after each pair.
    """
    cells = []
    for row in rows:
        view = subjects.view([row], restorer.info.model)
        found = restore_detailed(
            restorer,
            [view],
            subjects.categories[row],
            Detailing(size=size),
            settings.sampling,
            seed=settings.seed + row,
        )
        plain = found.candidates[0].image
        alpha = garment_alpha(plain)[0]
        dimmed = view.person * (0.35 + 0.65 * (view.mask > 0.5))
        overlay = draw_evidence(plain[0], found.visible[0], alpha)[None]
        images = [dimmed, plain, overlay, found.image, subjects.truth(row)[None]]
        cells.append([_fitted(image, size) for image in images])
        if progress is not None:
            progress(1)
    return _arranged(cells, size, across)


def _fitted(image: Tensor, size: tuple[int, int]) -> Image.Image:
    """An image (1, 3, h, w) fitted into `size` with its aspect ratio, and padded with white."""
    width, height = size
    scale = min(width / image.shape[-1], height / image.shape[-2])
    shape = round(image.shape[-2] * scale), round(image.shape[-1] * scale)
    small = F.interpolate(image.float(), shape, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)[0]
    left, top = (width - shape[1]) // 2, (height - shape[0]) // 2
    padded = F.pad(small, (left, width - shape[1] - left, top, height - shape[0] - top), value=1.0)
    return Image.fromarray((padded * 255).round().byte().movedim(0, -1).numpy())


def _arranged(cells: Sequence[Sequence[Image.Image]], size: tuple[int, int], across: int) -> Image.Image:
    width, height = size
    block = len(COLUMNS) * (width + _GAP) + 2 * _GAP
    lines = -(-len(cells) // across)
    sheet = Image.new("RGB", (across * block, _TITLE + lines * (height + _GAP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number in range(min(across, len(cells))):
        for column, title in enumerate(COLUMNS):
            middle = number * block + column * (width + _GAP) + width // 2
            pen.text((middle, _TITLE // 2), title, fill="black", font=font, anchor="mm")
    for number, images in enumerate(cells):
        left, top = number % across * block, _TITLE + number // across * (height + _GAP)
        for column, image in enumerate(images):
            sheet.paste(image, (left + column * (width + _GAP), top))
    return sheet
