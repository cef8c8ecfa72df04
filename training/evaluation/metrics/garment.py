"""This project's own metrics for restored garments, computed within the true silhouette: one number per image."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

NON_WHITE = 16 / 255
"""A pixel belongs to the garment if one of its channels is further than this from white."""
MAX_PSNR = 100.0
"""Score in dB of identical images."""
PATCH = 16
"""Side in pixels of the patches that texture_agreement compares."""
TOLERANCE = 2
"""Maximum offset of these patches in pixels, along each axis."""
GRADIENT_POWER = 0.75
"""Exponent for the length of gradients in texture_agreement, below 1 so that faint edges also count."""
NOISE_FLOOR = 0.01
"""Gradient, in value range per pixel, below which texture_agreement treats a difference as noise."""
OUTLINE = 4
"""Width in pixels of the rim inside the silhouette that texture_agreement ignores, because outlines are not texture."""
HALO = 3
"""Width in pixels of the rim outside the silhouette that never counts as invented, because restored edges are soft."""


def masked_l1(generated: Tensor, truth: Tensor, silhouette: Tensor) -> Tensor:
    """Mean absolute error where either image shows the garment, so that invented parts count: (B,), in 0..1.

    Images are (B, 3, H, W), silhouettes (B, 1, H, W); the generated garment is everything that is not white.
    """
    return _mean_inside((generated - truth).abs(), (silhouette > 0.5) | _drawn(generated))


def garment_psnr(generated: Tensor, truth: Tensor, silhouette: Tensor) -> Tensor:
    """PSNR in dB inside the true silhouette, at most MAX_PSNR: two (B, 3, H, W) and (B, 1, H, W) -> (B,)."""
    error = _mean_inside((generated - truth) ** 2, silhouette > 0.5)
    return -10 * torch.log10(error.clamp(min=10 ** (-MAX_PSNR / 10)))


def invented(generated: Tensor, silhouette: Tensor) -> Tensor:
    """Area of the generated garment outside the true silhouette, divided by the silhouette's area: (B,), at least 0.

    Images are (B, 3, H, W), silhouettes (B, 1, H, W); a rim of HALO pixels does not count.
    """
    near = F.max_pool2d((silhouette > 0.5).float(), 2 * HALO + 1, stride=1, padding=HALO) > 0
    outside = _drawn(generated) & ~near
    return outside.float().sum(dim=(1, 2, 3)) / (silhouette > 0.5).float().sum(dim=(1, 2, 3)).clamp(min=1)


def missing(generated: Tensor, truth: Tensor, silhouette: Tensor) -> Tensor:
    """Fraction of the true garment that was left white: (B,), in 0..1. Pixels that are white in the ground truth are
    not counted as missing."""
    inside = (silhouette > 0.5) & _drawn(truth)
    kernel = 2 * HALO + 1
    near = F.max_pool2d(_drawn(generated).float(), kernel, stride=1, padding=HALO) > 0
    lost = inside & ~near
    return lost.float().sum(dim=(1, 2, 3)) / inside.float().sum(dim=(1, 2, 3)).clamp(min=1)


def _drawn(picture: Tensor) -> Tensor:
    """Pixels (B, 1, H, W) that are not white."""
    return (1 - picture).amax(dim=1, keepdim=True) > NON_WHITE


def texture_agreement(
    generated: Tensor, truth: Tensor, silhouette: Tensor, patch: int = PATCH, tolerance: int = TOLERANCE
) -> Tensor:
    """How well the texture (stripes, motifs, lettering) agrees with the true texture in position and strength: (B,), in
    0..1.

    The gradients of luminance and both chroma channels form one vector per pixel, whose length is compressed so that
    faint edges also count. In each patch inside the silhouette (without its outline), the two gradient fields are
    compared by their Dice overlap, 2 <g, t> / (|g|^2 + |t|^2), at the best offset within `tolerance`. Patches are
    weighted by the gradient energy of both images, so missing and invented texture both count. The result is the mean
    over full and half size. Unlike SSIM, this metric prefers a blurred correct texture to a sharp wrong texture. Images
    are (B, 3, H, W), silhouettes (B, 1, H, W).
    """
    inside = _without_outline((silhouette > 0.5).float(), OUTLINE)
    one, other = _opponent(generated.float()), _opponent(truth.float())
    full = _field_overlap(one, other, inside, patch, tolerance)
    half = _field_overlap(*(F.avg_pool2d(x, 2) for x in (one, other, inside)), patch // 2, (tolerance + 1) // 2)
    return (full + half) / 2


def _field_overlap(generated: Tensor, truth: Tensor, inside: Tensor, patch: int, tolerance: int) -> Tensor:
    """Dice overlap of gradient fields at the best offset, at one scale: two (B, 3, H, W) and (B, 1, H, W) -> (B,)."""
    wanted, found = _gradients(truth), _gradients(generated)
    floor = _pool(inside * NOISE_FLOOR ** (2 * GRADIENT_POWER), patch)
    wanted_energy = _pool(wanted.square().sum(1, keepdim=True) * inside, patch)
    squares = found.square().sum(1, keepdim=True)
    energy = wanted_energy + _pool(squares * inside, patch)
    best = torch.zeros_like(energy)
    for shifted, shifted_squares in zip(_shifts(found, tolerance), _shifts(squares, tolerance), strict=True):
        product = _pool((wanted * shifted).sum(1, keepdim=True) * inside, patch)
        shifted_energy = _pool(shifted_squares * inside, patch)
        best = torch.maximum(best, (2 * product + floor) / (wanted_energy + shifted_energy + floor).clamp(min=1e-12))
    total = energy.sum(dim=(1, 2, 3))
    return ((best * energy).sum(dim=(1, 2, 3)) + 1e-12) / (total + 1e-12)  # 1 if neither image has any texture


def _gradients(picture: Tensor) -> Tensor:
    """Gaussian-derivative gradients (B, 2 C, H, W) of images (B, C, H, W), with lengths raised to GRADIENT_POWER."""
    steps = torch.arange(-2, 3, dtype=picture.dtype)
    bell = torch.exp(-((steps / 0.7) ** 2) / 2)
    bell = bell / bell.sum()
    slope = steps * bell / (steps**2 * bell).sum()  # a ramp of 1 per pixel gives 1
    kernels = torch.stack([bell[:, None] * slope[None], slope[:, None] * bell[None]])[:, None]  # (2, 1, 5, 5)
    channels = picture.shape[1]
    padded = F.pad(picture, (2, 2, 2, 2), mode="replicate")
    field = F.conv2d(padded, kernels.repeat(channels, 1, 1, 1), groups=channels)
    length = field.square().sum(1, keepdim=True).sqrt()
    return field * length.clamp(min=1e-8) ** (GRADIENT_POWER - 1)


def _opponent(picture: Tensor) -> Tensor:
    """Luminance, blue-yellow and red-green: (B, 3, H, W) -> (B, 3, H, W)."""
    red, green, blue = picture.unbind(1)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    return torch.stack([luminance, 0.564 * (blue - luminance), 0.713 * (red - luminance)], dim=1)


def _without_outline(inside: Tensor, width: int) -> Tensor:
    """The silhouette (B, 1, H, W) without `width` pixels along its edge; unchanged if nothing would remain."""
    eroded = 1 - F.max_pool2d(1 - inside, 2 * width + 1, stride=1, padding=width)
    return torch.where(eroded.sum(dim=(1, 2, 3), keepdim=True) > 0, eroded, inside)


def _pool(values: Tensor, patch: int) -> Tensor:
    """Means over patches half a patch apart, padded with 0 at the border: (B, 1, H, W) -> (B, 1, h, w)."""
    return F.avg_pool2d(values, patch, stride=patch // 2, padding=patch // 2)


def _shifts(field: Tensor, tolerance: int) -> Iterable[Tensor]:
    """The field (B, C, H, W) at every whole-pixel offset within the tolerance, with repeated edges."""
    height, width = field.shape[-2:]
    padded = F.pad(field, (tolerance,) * 4, mode="replicate")
    for y in range(2 * tolerance + 1):
        for x in range(2 * tolerance + 1):
            yield padded[..., y : y + height, x : x + width]


def _mean_inside(values: Tensor, inside: Tensor) -> Tensor:
    """Mean (B,) of values (B, C, H, W) over the pixels of a mask (B, 1, H, W); 0 for an empty mask."""
    weight = inside.to(values.dtype)
    return (values.mean(1, keepdim=True) * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp(min=1)
