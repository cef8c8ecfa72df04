"""Thumbnails for the template browser, made from the real inputs and outputs of a workflow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from tests.support.host.server import ROOT, UPDATE

HEIGHT = 480
GAP = 12
PLUS = torch.ones(120, 30, 3)
"""Separator between groups of inputs, (H, W, 3) in 0..1."""
PLUS[58:62, 5:25] = PLUS[50:70, 13:17] = 0.4


def write_thumbnail(name: str, pictures: Sequence[Tensor]) -> None:
    """With IGR_UPDATE=1: write workflows/NAME.jpg, images (H, W, 3) in 0..1 side by side on white."""
    if not UPDATE:
        return
    scaled = [_scaled(picture) for picture in pictures]
    sheet = Image.new("RGB", (sum(one.width + GAP for one in scaled) + GAP, HEIGHT + 2 * GAP), "white")
    left = GAP
    for one in scaled:
        sheet.paste(one, (left, GAP))
        left += one.width + GAP
    sheet.save(ROOT / "workflows" / f"{name}.jpg", quality=85, optimize=True)


def _scaled(picture: Tensor) -> Image.Image:
    image = Image.fromarray((picture * 255).round().to(torch.uint8).numpy())
    return image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)
