"""The image being painted: its colours, the coverage of the requested garment, and how parts and skin are added."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..art.arrays import Array, blurred, doubled, polygon_mask, sample
from ..art.curves import Bone
from ..art.palette import Rgb
from .layers import FOLD_FLAT, FOLD_WORN, Layer
from .places import Places
from .view import View

LABELS = (
    "background", "hair", "face", "skin", "left_arm", "right_arm", "left_leg", "right_leg", "left_shoe", "right_shoe",
    "upper", "lower", "full", "coat", "bag", "object",
)  # fmt: skip
"""Names of the values of Canvas.labels; left and right are the person's."""


@dataclass(frozen=True)
class Canvas:
    """Arrays that painting changes in place: rgb (h, w, 3) 0..255, visible (h, w) 0..1, indices into LABELS (h, w)."""

    rgb: Array
    visible: Array
    labels: np.ndarray
    view: View
    wobble: Array | None = None  # (h, w, 2) displacement in body units
    label: str = "object"  # label of what is painted next
    places: Places | None = None  # which points of the cloth are visible; None to not track them

    def of(self, label: str) -> Canvas:
        """The same canvas, for painting another label."""
        return replace(self, label=label)

    def box(self, points: Array, pad: int) -> tuple[int, int, int, int] | None:
        """Pixel box (x0, y0, x1, y1) around points, padded and clipped to the image; None if it is outside."""
        height, width = self.visible.shape
        x0, y0 = np.floor(points.min(0)).astype(int) - pad
        x1, y1 = np.ceil(points.max(0)).astype(int) + pad + 1
        x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
        return (int(x0), int(y0), int(x1), int(y1)) if x1 - x0 > 2 and y1 - y0 > 2 else None

    def put(
        self,
        box: tuple[int, int, int, int],
        colour: Array,
        cover: Array,
        garment: bool = False,
        layer: Layer | None = None,
        local: Array | None = None,
    ) -> None:
        """Blend colour (h, w, 3) or (3,) over a box with coverage (h, w), and update `visible` and `labels`.

        Cloth also needs its layer and the local coordinates (h, w, 2) of each pixel, for the correspondence.
        """
        x0, y0, x1, y1 = box
        region, seen = self.rgb[y0:y1, x0:x1], self.visible[y0:y1, x0:x1]
        region += cover[..., None] * (colour - region)
        seen *= 1 - cover
        if garment:
            seen += cover
        self.labels[y0:y1, x0:x1][cover > 0.5] = LABELS.index(self.label)
        if self.places is not None:
            self.places.note(box, cover, layer, local)

    def shadow(self, box: tuple[int, int, int, int], blur: Array, strength: float) -> None:
        """Darken the image beneath a shape by the shape's blurred coverage."""
        x0, y0, x1, y1 = box
        self.rgb[y0:y1, x0:x1] *= (1 - strength * blur)[..., None]

    def polygon(
        self, pixels: Array, colour: Rgb, round_off: float = 0.25, shadow: float = 0.0, garment: bool = False
    ) -> None:
        """Fill an outline in pixel coordinates, darkened towards its edge by `round_off`."""
        radius = max(1.5, self.view.ppu * 0.012)
        box = self.box(pixels, int(radius * 2) if shadow else 2)
        if box is None:
            return
        x0, y0, x1, y1 = box
        mask = polygon_mask(pixels - [x0, y0], y1 - y0, x1 - x0).astype(np.float32) / 255
        fill: Array = np.array(colour, np.float32)
        if round_off or shadow:
            blur = blurred(mask, radius)
            if shadow:
                self.shadow(box, blur, shadow)
            fill = fill * (1 - round_off * np.clip(1.7 - 1.7 * blur, 0, 1))[..., None]
        self.put(box, fill, mask, garment)

    def cloth(
        self, layer: Layer, bone: Bone, worn: bool, garment: bool, shadow: float, until: float | None = None
    ) -> None:
        """Paint and shade a part by sampling its raster at each pixel's local coordinates, as far as `until`."""
        outline = self.view.pixels(bone.forward(layer.part.outline))
        radius = max(1.5, self.view.ppu * 0.01)
        box = self.box(outline, int(radius * 2) + 3)
        if box is None:
            return
        x0, y0, x1, y1 = box
        inside = polygon_mask(outline - [x0, y0], y1 - y0, x1 - x0, grow=max(2, round(self.view.ppu * 0.008)))
        rows, cols = np.nonzero(inside)
        everywhere = self._local(bone, box)
        local = everywhere[rows, cols]
        fold = FOLD_WORN if worn else FOLD_FLAT
        x, y = (local[:, 0] - layer.left) * layer.ppu, (local[:, 1] - layer.top) * layer.ppu
        values = sample(layer.raster, x, y, (0, 1, 2, 3, fold))
        if until is not None:
            values[3] *= local[:, 1] < until
        cover = np.zeros(inside.shape, np.float32)
        cover[rows, cols] = values[3]
        colour = np.zeros((*inside.shape, 3), np.float32)
        colour[rows, cols] = (values[:3] * values[4]).T
        blur = blurred(cover, radius)
        edge = (0.26 if worn else 0.17) * np.clip(1.75 - 1.75 * blur, 0, 1)
        if shadow:
            self.shadow(box, blur, shadow)
        colour *= (1 - edge)[..., None]
        self.put(box, colour, cover, garment, layer, everywhere)

    def _local(self, bone: Bone, box: tuple[int, int, int, int]) -> Array:
        """Local coordinates (h, w, 2) of a box's pixels, computed at every second pixel and interpolated linearly."""
        x0, y0, x1, y1 = box
        rows, cols = np.arange(y0, y1 + 1, 2), np.arange(x0, x1 + 1, 2)
        at = np.stack(np.broadcast_arrays(cols[None, :], rows[:, None]), -1).reshape(-1, 2)
        points = self.view.body(at.astype(np.float32))
        if self.wobble is not None:
            height, width = self.visible.shape
            points += self.wobble[np.minimum(at[:, 1], height - 1), np.minimum(at[:, 0], width - 1)]
        return doubled(bone.inverse(points).reshape(len(rows), len(cols), 2))
