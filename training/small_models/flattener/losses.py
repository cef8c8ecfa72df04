"""The loss of the flattening network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.flatten.flat import BLACK
from igr_core.flatten.network import CELL, Flattened
from igr_core.ranges import Ranged, Weight

from .augmentation import Samples

_LEAST_SPREAD = 0.002
"""Added to the expected distance, so that its likelihood stays finite."""
_TORN = 0.08
"""Neighbouring cells whose true places are further apart than this, in view heights, lie on two sides of a fold."""
_ALL_CLOTH = 0.95
"""Opacity from which a cell has no background."""
_NEAR, _MOST_FACTOR = 5, 1.5
"""Side in cells of the area over which light is averaged, and the maximum absolute logarithm of a factor."""
_SOME_CLOTH = 0.3
"""Opacity from which a cell counts as part of the garment."""


@dataclass(frozen=True)
class FlattenerLoss(Ranged):
    """Weights of the terms; distances are fractions of the view's height."""

    place: Weight = 10.0
    """Mean distance between predicted and true places of visible cells."""
    coarse: Weight = 3.0
    """The same at coarser resolutions."""
    gradient: Weight = 10.0
    """Mean error of the differences between neighbouring cells, so that patterns are not torn."""
    smoothness: Weight = 1.0
    """Mean second difference of the map, which also shapes hidden parts."""
    spread: Weight = 0.02
    """Negative log-likelihood of the distances under a Laplace distribution; it trains the predicted spread only."""
    visible: Weight = 0.3
    """Cross-entropy of the visibility, on the garment's cells."""
    opacity: Weight = 1.0
    """Cross-entropy of the silhouette."""
    light: Weight = 1.0
    """Mean error of the logarithm of the factor between the photo's light and that of the flat garment."""


def flattener_loss(found: Flattened, samples: Samples, weights: FlattenerLoss) -> dict[str, Tensor]:
    """Loss terms for the predictions for a batch; `total` is their weighted sum."""
    place, opacity = samples.place, samples.opacity
    aspect = opacity.shape[-1] / opacity.shape[-2]
    scale = place.new_tensor([aspect, 1.0]).view(1, 2, 1, 1)
    seen = place.isfinite().all(1, keepdim=True).float()
    true = torch.where(seen > 0, place, 0.0)
    distance = ((found.place - true) * scale).pow(2).sum(1, keepdim=True).add(1e-8).sqrt()
    count = seen.sum().clamp_min(1)
    spread = found.spread + _LEAST_SPREAD
    garment = (F.interpolate(opacity, place.shape[-2:], mode="area") > _SOME_CLOTH).float().maximum(seen)
    doubt = F.binary_cross_entropy_with_logits(found.visible, seen, reduction="none")
    terms = {
        "place": (distance * seen).sum() / count,
        "coarse": sum(_coarse(one, true, seen, scale) for one in found.coarse),
        "gradient": _gradient(found.place, true, seen, scale) / count,
        "smoothness": sum(found.place.diff(n=2, dim=dim).abs().mean() for dim in (2, 3)),
        "spread": ((distance.detach() / spread + spread.log()) * seen).sum() / count,
        "visible": (doubt * garment).sum() / garment.sum().clamp_min(1),
        "opacity": F.binary_cross_entropy_with_logits(found.opacity, opacity),
        "light": light_error(found.light, samples),
    }
    terms = {name: torch.as_tensor(term) for name, term in terms.items()}
    terms["total"] = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return terms


def light_error(found: Tensor, samples: Samples) -> Tensor:
    """Mean error of a light map (B, 1, h, w), on visible cells inside the garment, against the local mean of the true
    factors."""
    seen = samples.place.isfinite().all(1, keepdim=True).float()
    places = torch.where(seen > 0, samples.place, 0.0) * 2 - 1
    around = F.avg_pool2d(samples.photo[:, :3], CELL + 1, 1, CELL // 2, count_include_pad=False)
    photo = F.grid_sample(around, places.movedim(1, -1), align_corners=False)
    factor = ((F.avg_pool2d(samples.garment, CELL) + BLACK) / (photo + BLACK)).log().mean(1, keepdim=True)
    inside = seen * (F.avg_pool2d(samples.opacity, CELL) > _ALL_CLOTH)
    near = F.avg_pool2d(inside, _NEAR, 1, _NEAR // 2)
    mean = F.avg_pool2d(factor.clamp(-_MOST_FACTOR, _MOST_FACTOR) * inside, _NEAR, 1, _NEAR // 2) / near.clamp_min(1e-3)
    return ((found - mean).abs() * inside).sum() / inside.sum().clamp_min(1)


def _coarse(found: Tensor, true: Tensor, seen: Tensor, scale: Tensor) -> Tensor:
    """Mean distance at a coarser resolution, over cells of which more than half is visible."""
    factor = true.shape[-2] // found.shape[-2]
    share = F.avg_pool2d(seen, factor)
    mean = F.avg_pool2d(true * seen, factor) / share.clamp_min(1e-3)
    distance = ((found - mean) * scale).pow(2).sum(1, keepdim=True).add(1e-8).sqrt()
    return (distance * (share > 0.5)).sum() / (share > 0.5).sum().clamp_min(1)


def _gradient(found: Tensor, true: Tensor, seen: Tensor, scale: Tensor) -> Tensor:
    """Sum of the errors of the differences between visible neighbours on the same side of a fold."""
    total = found.new_zeros(())
    for dim in (2, 3):
        size = seen.shape[dim] - 1
        both = seen.narrow(dim, 0, size) * seen.narrow(dim, 1, size)
        whole = (true.diff(dim=dim) * scale).norm(dim=1, keepdim=True) < _TORN
        error = ((found - true).diff(dim=dim) * scale).abs().sum(1, keepdim=True)
        total = total + (error * both * whole).sum()
    return total
