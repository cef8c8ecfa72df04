"""Correspondence at latent size: the position of each cell of the flat garment in the photo's view."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from igr_core.photo.view import Placement


def to_cells(
    places: np.ndarray, garment_size: tuple[int, int], placement: Placement, latent_shape: tuple[int, int]
) -> np.ndarray:
    """Convert a garment's map to one position per latent cell, in coordinates of the photo's view.

    places (h, w, 2): x and y in photo pixels for every pixel of the garment image, NaN where the photo does not
    show it; `garment_size` (width, height) is the size of that image, which is scaled to fit the view's canvas and
    centred. Returns (2, rows, columns) float32 for `latent_shape` (rows, columns): x and y of every cell's centre as
    fractions (0..1) of the view's width and height, NaN where the view does not show it.
    """
    rows, columns = latent_shape
    width, height = placement.canvas_size
    scale = min(width / garment_size[0], height / garment_size[1])
    left, top = (width - garment_size[0] * scale) / 2, (height - garment_size[1] * scale) / 2
    x = ((np.arange(columns) + 0.5) * width / columns - left) / scale * places.shape[1] / garment_size[0]
    y = ((np.arange(rows) + 0.5) * height / rows - top) / scale * places.shape[0] / garment_size[1]
    inside = ((y >= 0) & (y < places.shape[0]))[:, None] & ((x >= 0) & (x < places.shape[1]))[None, :]
    row, column = y.clip(0, places.shape[0] - 1).astype(int), x.clip(0, places.shape[1] - 1).astype(int)
    found = np.where(inside[..., None], places[row[:, None], column[None, :]], np.nan)  # (rows, columns, 2)
    seen = placement.to_canvas(torch.from_numpy(found)).numpy()
    x0, y0, x1, y1 = placement.canvas_rect
    shown = (seen >= (x0, y0)).all(-1) & (seen < (x1, y1)).all(-1)
    in_view = np.where(shown[..., None], seen / (width, height), np.nan)
    return np.ascontiguousarray(in_view.transpose(2, 0, 1), dtype=np.float32)


def pixels_to_cells(flow: Tensor, latent_shape: tuple[int, int]) -> Tensor:
    """Resample the map of laid-out pairs (B, 2, h, w), in -1..1 as in grid_sample, to (B, 2, rows, columns).

    The result contains x and y in 0..1, taken from the pixel at the centre of each cell.
    """
    rows, columns = latent_shape
    down = ((torch.arange(rows) + 0.5) * flow.shape[2] / rows).long()
    across = ((torch.arange(columns) + 0.5) * flow.shape[3] / columns).long()
    return flow[:, :, down[:, None], across[None, :]].float() / 2 + 0.5


def mirrored(places: np.ndarray, photo_width: int) -> np.ndarray:
    """The map (h, w, 2) between the mirrored garment and the mirrored photo."""
    return places[:, ::-1] * np.float32([-1, 1]) + np.float32([photo_width, 0])


def boxed(places: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The map (h, w, 2) for a box (left, top, right, bottom) in the garment image; the box may extend beyond it."""
    height, width = places.shape[:2]
    left, top, right, bottom = box
    found = np.full((bottom - top, right - left, 2), np.nan, np.float32)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x0 < x1 and y0 < y1:
        found[y0 - top : y1 - top, x0 - left : x1 - left] = places[y0:y1, x0:x1]
    return found
