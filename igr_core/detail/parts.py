"""Find the sleeves and legs of a flat garment from its outline."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_ROWS = 96
"""Height to which the garment's box is resized before its outline is read."""
_BODY_ROWS = (0.35, 0.95)
"""First and last row, as fractions of the garment's height, between which the width of the body is measured."""
_BODY_QUANTILE = 0.25
"""Quantile of these rows' widths that counts as the body's width; low, because skirts and hems are wider."""
_SLOPE = 1.12
"""Rows that are at most this many times as wide as the body have no sleeves."""
_LEAST = 0.02
"""Smallest sleeve or leg, as a fraction of the garment's area."""
_SHORTEST_LEG = 0.12
"""Minimum height of the gap between the legs, and of the part above the gap, as a fraction of the garment's height."""
_HEMS = 0.9
"""Fraction of the garment's height from the top below which a row may show only the longer leg."""

Mask = NDArray[np.bool_]
Run = tuple[int, int]
"""First column of a run of connected cloth in a row, and the column after its last one."""


def garment_parts(alpha: Tensor) -> dict[str, Tensor]:
    """Masks (H, W) of a garment's sleeves and legs, by name, from its opacity (1, H, W).

    The names are `left sleeve`, `right sleeve`, `left leg` and `right leg`; parts that the outline does not show are
    left out. Left and right refer to the image. Sleeves are the cloth beside the body; legs are the cloth beside a gap
    at the bottom.
    """
    solid = (alpha[0] >= 0.5).numpy(force=True)
    if not solid.any():
        return {}
    rows, columns = (np.flatnonzero(solid.any(axis)) for axis in (1, 0))
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    small = _resized(solid[box], _ROWS)
    legs, crotch = _legs(small)
    found = {**_sleeves(small[:crotch]), **legs}
    area = small.sum()
    parts = {}
    for name, part in found.items():
        if part.sum() >= _LEAST * area:
            part = np.pad(part, ((0, small.shape[0] - part.shape[0]), (0, 0)))
            whole = np.zeros_like(solid)
            whole[box] = _resized(part, solid[box].shape[0], solid[box].shape[1]) & solid[box]
            parts[name] = torch.from_numpy(whole)
    return parts


def _sleeves(cloth: Mask) -> dict[str, Mask]:
    """Cloth beside the body, on the left and on the right; `cloth` ends where the legs begin."""
    height, width = cloth.shape
    middle = [_middle_run(row, width / 2) for row in cloth]
    first, last = (round(fraction * height) for fraction in _BODY_ROWS)
    across = np.array([stop - start for start, stop in middle[first:last]])
    body = float(np.quantile(across[across > 0], _BODY_QUANTILE)) if (across > 0).any() else float(width)
    narrow = [number for number in range(first, last) if 0 < middle[number][1] - middle[number][0] <= _SLOPE * body]
    left = float(np.median([middle[number][0] for number in narrow])) if narrow else 0.0
    right = float(np.median([middle[number][1] for number in narrow])) if narrow else float(width)
    column = np.arange(width)[None]
    sides = {"left sleeve": column < left, "right sleeve": column >= right}
    # below the armpits, cloth that reaches the body's columns is body, however wide the skirt or hem is
    armpit = next((number for number, (start, stop) in enumerate(middle) if _is_body(number, stop - start, body)), 0)
    own = np.zeros_like(cloth)
    for number in range(armpit, height):
        for start, stop in _runs(cloth[number]):
            own[number, start:stop] = start < right and stop > left
    return {name: cloth & side & ~own for name, side in sides.items()}


def _is_body(row: int, width: int, body: float) -> bool:
    """Whether a row's middle piece has no sleeve; False in the top seventh, where the neck and the shoulders are."""
    return row >= _ROWS / 7 and 0 < width <= _SLOPE * body


def _legs(cloth: Mask) -> tuple[dict[str, Mask], int]:
    """Cloth on both sides of a gap at the bottom, and the gap's first row, or the number of rows if there is no gap."""
    height, width = cloth.shape
    crotch, column = height, width / 2
    for number in range(height - 1, -1, -1):
        gap = _gap(cloth[number])
        if gap is not None:
            crotch, column = number, gap
        elif crotch < height or number < _HEMS * height:
            break
    if height - crotch < _SHORTEST_LEG * height or crotch < _SHORTEST_LEG * height:
        return {}, height
    below = np.arange(height)[:, None] >= crotch
    left = np.arange(width)[None] < column
    return {"left leg": cloth & below & left, "right leg": cloth & below & ~left}, crotch


def _gap(row: Mask) -> float | None:
    """Middle of the only gap in the middle half of a row; None if there are none or several."""
    runs = _runs(row)
    gaps = [(before[1] + after[0]) / 2 for before, after in zip(runs, runs[1:], strict=False)]
    inner = [gap for gap in gaps if len(row) / 4 < gap < len(row) * 3 / 4]
    return inner[0] if len(inner) == 1 else None


def _runs(row: Mask) -> list[Run]:
    """Runs of connected cloth in a row, from left to right."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _middle_run(row: Mask, middle: float) -> Run:
    """The run of connected cloth in a row that is nearest to the middle; empty if there is none."""
    return min(_runs(row), key=lambda run: max(run[0] - middle, middle - run[1], 0), default=(0, 0))


def _resized(mask: Mask, height: int, width: int | None = None) -> Mask:
    """A mask resized to a height; its aspect ratio is kept unless a width is given."""
    width = max(1, round(mask.shape[1] * height / mask.shape[0])) if width is None else width
    values = torch.from_numpy(mask.astype(np.float32))[None, None]
    return (F.interpolate(values, (height, width), mode="area")[0, 0] >= 0.5).numpy()
