"""Probability that each part of a restored garment was visible in the photo rather than invented."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.detail_config import EvidenceConfig
from .flow import Flow, smooth_flow
from .readout import Correspondence

UNFITTED = EvidenceConfig((4.0, -6.0, 0.0, 2.0, 4.0, -20.0, -3.0, 0.0, -3.5))
"""Hand-chosen coefficients for bundles that store none: the ranking of cells is meaningful, but the values are not."""


@dataclass(frozen=True)
class Evidence:
    """Visibility of a garment's h x w cells in its photos."""

    visible: Tensor
    """(h, w): probability that the cell was visible in at least one photo."""
    best: Tensor
    """(h, w): index of the photo in which the cell is most likely visible."""
    in_photo: Tensor
    """(n, h, w): probability that the cell was visible in each photo."""
    flows: tuple[Flow | None, ...]
    """Map to each photo; None if no reliable map could be fitted."""


def find_evidence(found: Correspondence, garment: Tensor, aspect: float, config: EvidenceConfig) -> Evidence:
    """Fit maps and compute the evidence; `garment` (h, w) in 0..1 is the restored garment's opacity.

    `aspect` is the view's width divided by its height.
    """
    flows: list[Flow | None] = []
    each: list[Tensor] = []
    found, garment = found.cpu(), garment.cpu()
    for photo in range(found.place.shape[0]):
        flow = weighted_flow(found, garment, photo, aspect)
        flows.append(flow)
        if flow is None:
            each.append(torch.zeros_like(garment))
            continue
        each.append(torch.sigmoid(features(found, flow, photo) @ garment.new_tensor(config.coefficients)))
    in_photo = torch.stack(each) * (garment > 0)
    visible, best = in_photo.max(0)
    return Evidence(visible, best, in_photo, tuple(flows))


def weighted_flow(found: Correspondence, garment: Tensor, photo: int, aspect: float) -> Flow | None:
    """The map to one photo, fitted to sharp attention inside its mask; None if there is too little such attention."""
    weight = found.sharpness[photo] * found.inside[photo] * found.share[photo] * garment
    return smooth_flow(found.place[photo], weight, aspect)


def cell_opacity(alpha: Tensor, found: Correspondence) -> Tensor:
    """A garment's opacity (1, H, W), averaged over the cells of its correspondence: (h, w)."""
    return F.interpolate(alpha[None].float(), found.mass.shape, mode="area")[0, 0]


def features(found: Correspondence, flow: Flow, photo: int) -> Tensor:
    """Values of model.detail_config.FEATURES at every cell for one photo: (h, w, F)."""
    inside = found.inside[photo]
    near = F.avg_pool2d(inside[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    return torch.stack(
        [
            found.sharpness[photo],
            found.spread[photo],
            found.share[photo],
            found.mass,
            inside,
            flow.residual.to(inside).clamp(max=0.5),
            (flow.stretch.to(inside) <= 0).to(inside),
            near,
            torch.ones_like(inside),
        ],
        dim=-1,
    )
