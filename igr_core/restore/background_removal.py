"""Remove the near-white background of a restored garment."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..photo.flood_fill import border, flood
from ..photo.inputs import MASK_THRESHOLD
from ..photo.masks import mask_box
from .pale_garments import difference, pale_pieces

_EDGE_WINDOW = 5
"""Side of the window around a pixel; if it contains background, the pixel may mix garment and background."""
WHITE = 0.06
"""Maximum difference (0..1) between the background and white."""
FADED = 0.25
"""Fraction of a garment's outline that may look like the background before the cut-out counts as uncertain."""
ENCLOSED = 0.9
"""Fraction of the image border that may be opaque before the background counts as missing."""
FILLED = 0.65
"""A cut-out is uncertain if the fraction of its bounding box that it fills is less than this factor times that of the
mask in the photo; among 600 held-out drawn and rendered garments, the lowest factor is 0.70."""

NARROWED = 0.55
"""A cut-out is uncertain if the ratio of its width to its height is less than this factor times that of the mask;
among 240 held-out drawn garments, the lowest factor is 0.65."""


def garment_alpha(image: Tensor, threshold: float = WHITE) -> Tensor:
    """Opacity (B, 1, H, W) of the garment in images (B, 3, H, W) in 0..1 with a near-white background.

    Pixels within `threshold` of white that are connected to the border are background, so white inside a garment stays
    opaque; pale_pieces finds white or pale cloth among these pixels. The opacity of an edge pixel is its fraction of
    the garment's colour, and specks without a 3 × 3 core count as background.
    """
    distance = (1 - image.float().clamp(0, 1)).amax(1, keepdim=True)  # (B, 1, H, W), 0 = white
    background = flood(border(distance), distance <= threshold)
    garment = _without_specks(~background | _pale(image, background))
    garment |= ~flood(border(distance), ~garment)  # add the area between a pale piece and the rest
    solid = _erode(garment, _EDGE_WINDOW)
    # An edge pixel mixes white and the garment's colour; the ratio of its distance to its neighbour's is its opacity.
    beside = F.max_pool2d(distance * garment, _EDGE_WINDOW, stride=1, padding=_EDGE_WINDOW // 2)
    share = (distance / beside.clamp_min(1e-6)).clamp(0, 1)
    return torch.where(solid, 1.0, share) * garment


def to_rgba(image: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Convert images (B, 3, H, W) to (B, 4, H, W), with a transparent background and without a white fringe."""
    image = image.float().clamp(0, 1)
    alpha = garment_alpha(image) if alpha is None else alpha
    colour = torch.where(alpha > 0, (image - (1 - alpha)) / alpha.clamp_min(1e-3), image)
    return torch.cat([colour.clamp(0, 1), alpha], dim=1)


def cutout_warnings(image: Tensor, alpha: Tensor, mask: Tensor | None = None) -> tuple[str, ...]:
    """One sentence for each garment (B, 3, H, W) whose opacity (B, 1, H, W) from garment_alpha is uncertain.

    The cut-outs are compared with `mask`, the garments' masks (B, 1, H, W) in the photos, if given.
    """
    sentences = []
    for number, (one, opacity) in enumerate(zip(image, alpha, strict=True)):
        name = f"garment {number + 1}" if len(image) > 1 else "garment"
        opaque, faded = opaque_border(opacity[0]), _faded(one, opacity[0])
        seen = None if mask is None else mask[min(number, len(mask) - 1)]
        if not bool((opacity >= MASK_THRESHOLD).any()):
            sentences.append(
                f"The {name} was not found on its background, so the cut-out is empty: keep the white background."
            )
        elif opaque > ENCLOSED:
            sentences.append(
                f"No white background was found along {opaque:.0%} of the image border, so the {name} is not cut out "
                "there: check the background."
            )
        elif faded > FADED:
            sentences.append(
                f"The {name} is as white as its background along {faded:.0%} of its outline, so parts of the garment "
                f"may be missing from the cut-out: check its edges."
            )
        elif seen is not None and _filled(opacity) < FILLED * _filled(seen):
            sentences.append(
                f"The cut-out of the {name} covers much less of its bounding box than the mask in the photo: check it "
                "for holes."
            )
        elif seen is not None and _aspect(opacity) < NARROWED * _aspect(seen):
            sentences.append(
                f"The cut-out of the {name} is much narrower than the mask in the photo: check it for missing parts."
            )
    return tuple(sentences)


def opaque_border(alpha: Tensor) -> float:
    """Fraction of the outermost pixels (H, W) that is opaque."""
    inside = alpha >= MASK_THRESHOLD
    return float(torch.cat([inside[0], inside[-1], inside[:, 0], inside[:, -1]]).float().mean())


def _faded(image: Tensor, alpha: Tensor) -> float:
    """Fraction of the outline (H, W) of a garment (3, H, W) that looks like the background; 0 without a background."""
    inside = (alpha >= MASK_THRESHOLD).cpu().numpy()
    pixels = image.float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    differs = difference(pixels, ~inside & (pixels.min(-1) >= 1 - WHITE))
    cloth = torch.from_numpy(inside)[None, None]
    rim = (cloth & ~_erode(cloth, _EDGE_WINDOW))[0, 0].numpy()
    if differs is None or not rim.any():
        return 0.0
    seen = F.max_pool2d(torch.from_numpy(differs).float()[None, None], _EDGE_WINDOW, 1, _EDGE_WINDOW // 2)[0, 0]
    return 1 - float(seen.numpy()[rim].mean())


def _filled(cover: Tensor) -> float:
    """Fraction of the bounding box of an opacity or mask (1, H, W) in 0..1 that it fills; 0 if it is empty."""
    inside = cover[None] >= MASK_THRESHOLD
    if not bool(inside.any()):
        return 0.0
    left, top, right, bottom = mask_box(cover[None])
    return float(inside.sum()) / ((right - left) * (bottom - top))


def _aspect(cover: Tensor) -> float:
    """Width divided by height of the bounding box of an opacity or mask (1, H, W) in 0..1; 0 if it is empty."""
    if not bool((cover >= MASK_THRESHOLD).any()):
        return 0.0
    left, top, right, bottom = mask_box(cover[None])
    return (right - left) / (bottom - top)


def _pale(image: Tensor, background: Tensor) -> Tensor:
    """Pale pieces of garments (B, 1, H, W) that were mistaken for background."""
    pixels = image.float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    found = [pale_pieces(one, white) for one, white in zip(pixels, background[:, 0].cpu().numpy(), strict=True)]
    return torch.from_numpy(np.stack(found))[:, None].to(background.device)


def _erode(mask: Tensor, window: int) -> Tensor:
    """Pixels whose whole window is inside the mask; pixels beyond the image count as inside."""
    return ~F.max_pool2d((~mask).float(), window, stride=1, padding=window // 2).bool()


def _without_specks(mask: Tensor) -> Tensor:
    """Keep only pieces that contain a 3 × 3 core; specks of noise from a sensor or decoder do not."""
    return flood(_erode(mask, 3), mask)
