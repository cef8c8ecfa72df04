"""Show a garment's evidence to people: as a map, as an overlay and in words."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .evidence import Evidence

INVENTED = (0.86, 0.10, 0.45)
"""Colour of the overlay where nothing was visible."""
_TINT = 0.75
"""Opacity of the overlay where nothing was visible."""
_ROWS, _COLUMNS = ("top", "", "bottom"), ("left", "", "right")
_HIDDEN = 0.5
"""Mean evidence below which a region is listed as invented."""
_WORTH_LISTING = 0.04
"""Smallest region to list, as a fraction of the garment's area."""


def evidence_map(evidence: Evidence, alpha: Tensor) -> Tensor:
    """Probability (1, H, W) that a pixel was visible in a photo; 0 outside the garment's opacity `alpha` (1, H, W)."""
    visible = evidence.visible[None, None].to(alpha)
    # cells without cloth do not count, or the garment's border would look invented
    cloth = (F.interpolate(alpha[None], visible.shape[-2:], mode="area") > 0).to(alpha)
    fine, cover = (
        F.interpolate(cells, alpha.shape[-2:], mode="bilinear", align_corners=False)[0]
        for cells in (visible * cloth, cloth)
    )
    return (fine / cover.clamp_min(1e-6)).clamp(0, 1) * alpha


def draw_evidence(image: Tensor, visible: Tensor, alpha: Tensor) -> Tensor:
    """A garment (3, H, W) whose invented parts are tinted, from its evidence and opacity (1, H, W); all in 0..1."""
    tint = image.new_tensor(INVENTED).view(3, 1, 1)
    grey = image.mean(0, keepdim=True)  # a tint on plain grey is readable on every colour of cloth
    amount = _TINT * (alpha - visible).clamp(0, 1)
    return image * (1 - amount) + (0.35 * grey + 0.65 * tint) * amount


def seen_fraction(visible: Tensor, alpha: Tensor) -> float:
    """Fraction of the garment's area that was visible, from its evidence and opacity (1, H, W); 0 without a garment."""
    area = float(alpha.sum())
    return float(visible.sum()) / area if area > 0 else 0.0


def invented_regions(visible: Tensor, alpha: Tensor) -> list[str]:
    """Names of the ninths of the garment's box that were mostly invented, largest first, such as `bottom left`.

    Left and right are those of the image. Ninths with little cloth are left out.
    """
    solid = alpha[0] >= 0.5
    if not bool(solid.any()):
        return []
    rows, columns = (solid.any(axis).nonzero().flatten() for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    box = (slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1))
    found: list[tuple[float, str]] = []
    total = float(alpha.sum())
    for cloth_row, seen_row, row in zip(*(x[0][box].tensor_split(3, 0) for x in (alpha, visible)), _ROWS, strict=True):
        parts = zip(*(x.tensor_split(3, 1) for x in (cloth_row, seen_row)), _COLUMNS, strict=True)
        for cloth, seen, column in parts:
            area = float(cloth.sum())
            if area >= _WORTH_LISTING * total and float(seen.sum()) < _HIDDEN * area:
                found.append((area - float(seen.sum()), f"{row} {column}".strip() or "middle"))
    return [name for _, name in sorted(found, key=lambda one: -one[0])]


def describe(visible: Tensor, alpha: Tensor) -> str:
    """One sentence on how much of the garment was not visible, and where."""
    if not bool((alpha > 0).any()):
        return "The restored image has no garment: it is white all over."
    hidden = 1 - seen_fraction(visible, alpha)
    regions = invented_regions(visible, alpha)
    where = f", mostly at the {_listed(regions[:3])}" if regions and len(regions) < 9 else ""
    return f"{hidden:.0%} of the garment was not visible{where}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
