"""Scores of the flattening network on held-out pairs."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.flatten.network import Flattened, Flattener

from ...base.statistics import auroc
from .augmentation import Samples
from .losses import light_error

NEAR = (1, 2, 5)
"""Largest distances that count as a hit, in percent of the garment's height in the photo."""
_FEWEST = 20
"""Pairs with fewer visible cells are not scored by place."""


@torch.no_grad()
def flattener_scores(network: Flattener, batches: Iterable[Samples]) -> dict[str, float]:
    """Scores by name, each the mean over pairs. Leaves the network in training mode.

    Places: `median`, the median distance to the true place; `within_N`, the fraction of visible cells within N percent,
    both relative to the garment's height; and `unshifted`, the median without the shift that most cells have in common,
    as of a garment whose length is wrong. Outline: `overlap`, the silhouette's intersection over union; and `fitted`,
    that of the fitted outline, if the network has outlines. Light: `light`, the mean error; and `unlit`, that of no
    change of light. `auroc`: that of the visibility, over all cells.
    """
    network.eval()
    pairs: list[dict[str, float]] = []
    guessed, shown = [], []
    place = next(network.parameters()).device
    for given in batches:
        samples = Samples(*(one.to(place) for one in given))
        found = network(samples.photo, samples.category)
        for row in range(len(samples.photo)):
            pairs.append(_pair_scores(found, samples, row) | _light_scores(found, samples, row))
            if network.outlines is not None:
                shape = network.outlines.fitted(
                    found.opacity[row].cpu(), found.visible[row, 0].cpu(), int(samples.category[row])
                )
                own = found.opacity[row] if shape is None else shape.opacity
                pairs[-1]["fitted"] = _overlap(own.to(place), samples.opacity[row])
            cloth = F.interpolate(samples.opacity[row, None], found.visible.shape[-2:], mode="area")[0, 0] > 0.5
            guessed.append(found.visible[row, 0][cloth].cpu())
            shown.append(samples.place[row].isfinite().all(0)[cloth].float().cpu())
    network.train()
    names = ("median", *(f"within_{near}" for near in NEAR), "unshifted", "overlap", "light", "unlit")
    names += ("fitted",) if network.outlines is not None else ()
    scores = {name: _mean([one[name] for one in pairs if name in one]) for name in names}
    return scores | {"auroc": auroc(torch.cat(guessed), torch.cat(shown))}


def _pair_scores(found: Flattened, samples: Samples, row: int) -> dict[str, float]:
    scores = {"overlap": _overlap(found.opacity[row], samples.opacity[row])}
    place, true, aspect = found.place[row], samples.place[row], samples.photo.shape[-1] / samples.photo.shape[-2]
    distances = place_errors(place, true, aspect)
    if len(distances) >= _FEWEST:
        shift = (place - true)[:, true.isfinite().all(0)].median(1).values
        scores["median"] = float(distances.median())
        scores["unshifted"] = float(place_errors(place - shift[:, None, None], true, aspect).median())
        scores |= {f"within_{near}": float((distances < near / 100).float().mean()) for near in NEAR}
    return scores


def _overlap(opacity: Tensor, true: Tensor) -> float:
    """Intersection over union of the logits (1, H, W) of an opacity with a silhouette."""
    cloth, silhouette = opacity > 0, true > 0.5
    return float((cloth & silhouette).sum() / (cloth | silhouette).sum().clamp_min(1))


def _light_scores(found: Flattened, samples: Samples, row: int) -> dict[str, float]:
    own, light = Samples(*(one[row : row + 1] for one in samples)), found.light[row : row + 1]
    return {"light": float(light_error(light, own)), "unlit": float(light_error(torch.zeros_like(light), own))}


def place_errors(found: Tensor, true: Tensor, aspect: float) -> Tensor:
    """Distances (cells,) between places (2, h, w) over the visible cells, in heights of the visible garment."""
    seen = true.isfinite().all(0)
    if not bool(seen.any()):
        return found.new_zeros(0)
    rows = true[1][seen]
    apart = (found - true)[:, seen] * found.new_tensor([[aspect], [1.0]])
    return apart.norm(dim=0) / (rows.max() - rows.min()).clamp_min(1e-6)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
