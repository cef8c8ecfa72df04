"""Present a garment's evidence to users: as a map, as an overlay and in words."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .evidence import Evidence
from .parts import garment_parts

INVENTED = (0.86, 0.10, 0.45)
"""Colour of the overlay where nothing was visible."""
_TINT = 0.75
"""Opacity of the overlay where nothing was visible."""
_ROWS, _COLUMNS = ("top", "", "bottom"), ("left", "", "right")
_HIDDEN = 0.5
"""Mean evidence below which a region is listed as invented."""
_WORTH_LISTING = 0.04
"""Smallest region to list, as a fraction of the garment's area."""
_NEARLY_ALL = 0.95
"""Hidden fraction above which no regions are listed."""


def evidence_map(evidence: Evidence, alpha: Tensor) -> Tensor:
    """Probability (1, H, W) that a pixel was visible in a photo; 0 outside the garment's opacity `alpha` (1, H, W)."""
    visible = evidence.visible[None, None].to(alpha)
    # cells without cloth are ignored; otherwise, the garment's border would look invented
    cloth = (F.interpolate(alpha[None], visible.shape[-2:], mode="area") > 0).to(alpha)
    fine, cover = (
        F.interpolate(cells, alpha.shape[-2:], mode="bilinear", align_corners=False)[0]
        for cells in (visible * cloth, cloth)
    )
    return (fine / cover.clamp_min(1e-6)).clamp(0, 1) * alpha


def draw_evidence(image: Tensor, visible: Tensor, alpha: Tensor) -> Tensor:
    """A garment (3, H, W) whose invented parts are tinted, from its evidence and opacity (1, H, W); all in 0..1."""
    tint = image.new_tensor(INVENTED).view(3, 1, 1)
    grey = image.mean(0, keepdim=True)  # a tint on grey is visible on cloth of any colour
    amount = _TINT * (alpha - visible).clamp(0, 1)
    return image * (1 - amount) + (0.35 * grey + 0.65 * tint) * amount


def seen_fraction(visible: Tensor, alpha: Tensor) -> float:
    """Fraction of the garment's area that was visible, from its evidence and opacity (1, H, W); 0 without a garment."""
    area = float(alpha.sum())
    return float(visible.sum()) / area if area > 0 else 0.0


def invented_regions(visible: Tensor, alpha: Tensor) -> list[str]:
    """Names of the parts that were mostly invented, such as `left sleeve`, ordered by invented area, largest first.

    Sleeves and legs have names of their own; the rest of the garment is divided into nine parts of its bounding box,
    such as `bottom right`. Left and right refer to the image. Small parts are left out.
    """
    total = float(alpha.sum())
    found: list[tuple[float, str]] = []
    for name, part in _named_parts(alpha).items():
        cloth, seen = float((alpha[0] * part).sum()), float((visible[0] * part).sum())
        if cloth >= _WORTH_LISTING * total and seen < _HIDDEN * cloth:
            found.append((cloth - seen, name))
    return [name for _, name in sorted(found, key=lambda one: -one[0])]


def _named_parts(alpha: Tensor) -> dict[str, Tensor]:
    """Masks (H, W) of the sleeves, the legs and the nine parts of the rest, by name; empty without a garment."""
    solid = alpha[0] >= 0.5
    named = garment_parts(alpha)
    rest = solid & ~torch.stack([*named.values(), torch.zeros_like(solid)]).any(0)
    if not bool(rest.any()):
        return named
    rows, columns = (rest.any(axis).nonzero().flatten() for axis in (1, 0))
    for row_name, row in zip(_ROWS, _thirds(rows), strict=True):
        for column_name, column in zip(_COLUMNS, _thirds(columns), strict=True):
            part = torch.zeros_like(rest)
            part[row, column] = rest[row, column]
            named[f"{row_name} {column_name}".strip() or "middle"] = part
    return named


def _thirds(places: Tensor) -> tuple[slice, slice, slice]:
    """The range from the first to the last of the indices, divided into three slices."""
    start, stop = int(places[0]), int(places[-1]) + 1
    first, second = (start + round((stop - start) * third / 3) for third in (1, 2))
    return slice(start, first), slice(first, second), slice(second, stop)


def describe(visible: Tensor, alpha: Tensor) -> str:
    """One sentence on how much of the garment was not visible, and where."""
    if not bool((alpha > 0).any()):
        return "The restored image has no garment: it is white all over."
    hidden = 1 - seen_fraction(visible, alpha)
    regions = invented_regions(visible, alpha)
    everything = hidden > _NEARLY_ALL
    where = f", mostly the {_listed(regions[:3])}" if regions and not everything else ""
    return f"{hidden:.0%} of the garment was not visible{where}."


def numbered(sentences: list[str]) -> list[str]:
    """Sentences on several garments, with the number of each garment; a single sentence is returned unchanged."""
    if len(sentences) == 1:
        return sentences
    return [f"Garment {number}: {sentence}" for number, sentence in enumerate(sentences, 1)]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', the '.join(names[:-1])} and the {names[-1]}"
