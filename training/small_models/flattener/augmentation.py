"""Random views, shapes and light for the photos of a batch, with the places of the garment's points in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.flatten.network import coordinates
from igr_core.ranges import Ranged, Share

_BENDS = (5, 4)
"""Rows and columns of the grid of random shifts that bend a photo."""
_REGIONS = (11, 8)
"""Rows and columns of the regions in which the border of a mask moves in one direction."""
_ROUNDS = 4
"""Fixed-point iterations to invert the bending; the error is far below a pixel."""


class Samples(NamedTuple):
    """A batch of pairs."""

    photo: Tensor
    """(B, 4, H, W): RGB and mask in 0..1."""
    category: Tensor
    """(B,): indices in CATEGORIES."""
    place: Tensor
    """(B, 2, h, w): true places of the flat garment's cells as fractions of the view; NaN where hidden."""
    opacity: Tensor
    """(B, 1, H, W) in 0..1: the flat garment's silhouette."""
    garment: Tensor
    """(B, 3, H, W) in 0..1: the flat garment."""


@dataclass(frozen=True)
class FlattenerAugmentation(Ranged):
    """Strength of the random changes; each is drawn uniformly up to its maximum."""

    flip_share: Share = 0.5
    """Fraction of the pairs that are mirrored."""
    scale: Share = 0.25
    """Maximum change of scale, as the logarithm of the factor; width and height may differ by a little more than half
    of it."""
    shift: Share = 0.15
    """Maximum shift, as a fraction of the view's half side."""
    turn: Share = 0.15
    """Maximum rotation in radians."""
    bend: Share = 0.12
    """Maximum shift of a point by smooth bending, as a fraction of the view's half side."""
    tint: Share = 0.15
    """Maximum change of each colour channel, as a fraction."""
    mask_share: Share = 0.6
    """Fraction of the pairs whose mask becomes inexact, as those of people and parsers are."""
    mask_error: Share = 0.05
    """Reach of the blur that moves the border of an inexact mask, as a fraction of the view's height; the border moves
    by at most 0.7 of this."""
    light: Share = 0.25
    """Maximum change in brightness, as a fraction, and in black level, at 0.4 of it."""


def augment(samples: Samples, settings: FlattenerAugmentation, generator: torch.Generator) -> Samples:
    """Mirror pairs, move, bend and recolour photos, and make masks inexact; places that leave the view become NaN."""
    flipped = torch.rand(len(samples.photo), generator=generator) < settings.flip_share
    moved, place = _moved(_mirrored(samples, flipped), settings, generator)
    count = len(moved)
    tint = 1 + settings.tint * _uniform((count, 3, 1, 1), generator)
    light = 1 + settings.light * _uniform((count, 1, 1, 1), generator)
    black = 0.4 * settings.light * _uniform((count, 1, 1, 1), generator)
    colour = (moved[:, :3] * tint * light + black).clamp(0, 1)
    chosen = flipped[:, None, None, None]
    opacity, garment = (torch.where(chosen, x.flip(-1), x) for x in (samples.opacity, samples.garment))
    inexact = torch.rand(count, 1, 1, 1, generator=generator) < (settings.mask_share if settings.mask_error else 0)
    mask = torch.where(inexact, _inexact(moved[:, 3:], settings.mask_error, generator), moved[:, 3:])
    return Samples(torch.cat([colour, mask], 1), samples.category, place, opacity, garment)


def _inexact(mask: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Masks (B, 1, H, W) whose borders are moved outwards in some regions and inwards in others.

    Where a border moves outwards, the mask covers hands and hair in front of the garment.
    """
    reach = max(1, round(most * mask.shape[-2] / 2)) * 2 + 1
    soft = mask
    for _ in range(2):  # close to a Gaussian
        soft = F.avg_pool2d(soft, reach, 1, reach // 2, count_include_pad=False)
    regions = _uniform((len(mask), 1, *_REGIONS), generator)
    regions = F.interpolate(regions, mask.shape[-2:], mode="bicubic", align_corners=True).clamp(-1, 1)
    moved = (soft > 0.5 - 0.45 * regions).to(mask)
    return torch.where(moved.flatten(1).any(1)[:, None, None, None], moved, mask)  # thin parts may vanish, but not all


def _mirrored(samples: Samples, flipped: Tensor) -> Samples:
    chosen = flipped[:, None, None, None]
    photo = torch.where(chosen, samples.photo.flip(-1), samples.photo)
    mirrored = torch.cat([1 - samples.place[:, :1], samples.place[:, 1:]], 1).flip(-1)
    return samples._replace(photo=photo, place=torch.where(chosen, mirrored, samples.place))


def _moved(samples: Samples, settings: FlattenerAugmentation, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Photos (B, 4, H, W) and places (B, 2, h, w) after a random affine map and bending of each photo."""
    photo, place = samples.photo, samples.place
    count, (height, width) = len(photo), photo.shape[-2:]
    matrix = _matrices(count, width / height, settings, generator)
    shift = settings.shift * _uniform((count, 2, 1, 1), generator)
    bend = settings.bend * torch.rand(count, 1, 1, 1, generator=generator) * _uniform((count, 2, *_BENDS), generator)
    bend = F.interpolate(bend, (height, width), mode="bicubic", align_corners=True)
    source = torch.einsum("bij,bjhw->bihw", matrix, coordinates(photo) + bend) + shift
    ground = torch.rand(count, 3, 1, 1, generator=generator)  # behind the photo
    ground = torch.cat([ground, torch.zeros(count, 1, 1, 1)], 1)
    moved = F.grid_sample(photo - ground, source.movedim(1, -1), align_corners=False) + ground
    seen = place.isfinite().all(1, keepdim=True)
    old = torch.where(seen, place, 0.5) * 2 - 1
    straight = torch.einsum("bij,bjhw->bihw", torch.linalg.inv(matrix), old - shift)
    new = straight
    for _ in range(_ROUNDS):
        new = straight - F.grid_sample(bend, new.movedim(1, -1), padding_mode="border", align_corners=False)
    seen = seen & (new.abs() < 1).all(1, keepdim=True)
    return moved, torch.where(seen, new / 2 + 0.5, torch.nan)


def _matrices(count: int, aspect: float, settings: FlattenerAugmentation, generator: torch.Generator) -> Tensor:
    """Random scalings and rotations (B, 2, 2) of coordinates in -1..1."""
    both, each = _uniform((count, 1), generator), _uniform((count, 2), generator)
    scale = torch.exp(settings.scale * (0.4 * both + 0.6 * each))
    angle = settings.turn * _uniform((count,), generator)
    turned = torch.stack(
        [
            torch.stack([angle.cos(), -angle.sin() / aspect], -1),
            torch.stack([angle.sin() * aspect, angle.cos()], -1),
        ],
        1,
    )
    return scale[:, :, None] * turned


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform numbers in -1..1."""
    return torch.rand(shape, generator=generator) * 2 - 1
