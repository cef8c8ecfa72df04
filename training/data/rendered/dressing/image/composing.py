"""Compose the image of a view from the colours of all surfaces and their lighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igr_core.errors import IGRError

from ...base.panels import Panel
from ...base.surfaces import CLOTH as CLOTH_KINDS
from ...base.timing import stage
from ...base.views import SUBSAMPLES, Label, View
from ..cloth.relief import Tile, weave_tile
from ..grounds import ground_tile
from ..materials import Coat, Dress
from ..pixels.colours import linear_rgb, luminance
from ..skin import skin_tile
from . import shading
from .atlas import Texture, cloth_texture, fabric_of, ground_of, ground_texture, seen_tile

CONTRAST = {"satin": 0.35, "leather": 0.3, "fleece": -0.12, "knit": -0.08, "chunky": -0.08, "boucle": -0.1}
"""Contrast of a weave's shading relative to a matt surface; positive values are stronger."""


SHARPER = -0.3
"""Bias of mip levels; negative to preserve details in areas that are in focus."""


@dataclass
class _Palette:
    """Look-up tables for the kernels, filled label by label; `kinds` and `table` are as in shading.shade."""

    kinds: np.ndarray
    table: np.ndarray
    textures: list[Texture]
    colours: list[np.ndarray]
    scale: float

    def tile(self, tile: Tile) -> int:
        """Add a repeating tile; returns the index of its texture."""
        return self.texture(seen_tile(tile, self.scale))

    def texture(self, texture: Texture) -> int:
        """Index of a texture."""
        for number, known in enumerate(self.textures):
            if known is texture:
                return number
        self.textures.append(texture)
        return len(self.textures) - 1

    def paints(self, colours: Sequence[tuple[int, int, int]]) -> int:
        """Add some colours; returns the index of the first."""
        self.colours.extend(linear_rgb(colour) for colour in colours)
        return len(self.colours) - len(colours)


def compose(view: View, panels: Sequence[Panel], dress: Dress, background: np.ndarray | None = None) -> np.ndarray:
    """Dress a view; returns linear light (h, w, 3) float32, about 1 for white in good light.

    `panels` contains all panels that the view's labels refer to. `background` (h, w, 3), in linear light, fills empty
    areas; they are white if it is None. Raises IGRError if the buffers do not fit together or a label's panel is
    missing.
    """
    _check(view, panels)
    height, width = view.light.shape[:2]
    centres = np.ascontiguousarray(view.centres)
    uv = np.ascontiguousarray(view.uv, np.float32)
    with stage("textures"):
        palette = _palette(view, panels, dress, shading.used_boxes(centres, uv, len(view.table)))
    behind = np.ones((1, 3), np.float32)
    if background is not None:
        behind = np.ascontiguousarray(np.broadcast_to(background, view.light.shape), np.float32).reshape(-1, 3)
    with stage("shading"):
        return _shaded(view, centres, uv, palette, behind).reshape(height, width, 3)


def _shaded(view: View, centres: np.ndarray, uv: np.ndarray, palette: _Palette, behind: np.ndarray) -> np.ndarray:
    """The image (h * w, 3) of a view with its palette, in front of the background (h * w or 1, 3)."""
    samples = _Samples.of(np.ascontiguousarray(view.labels))
    albedo = _albedo(view, centres, uv, samples, palette)
    light = np.ascontiguousarray(view.light, np.float32).reshape(-1, 3)
    gloss = np.ascontiguousarray(view.gloss, np.float32).reshape(-1)
    out = np.empty_like(light)
    mixture = (samples.sources, samples.targets, samples.shares)
    shading.shade(out, behind, centres.ravel(), *mixture, light, gloss, palette.kinds, palette.table, albedo)
    return out


@dataclass(frozen=True)
class _Samples:
    """Samples of each pixel, as listed by shading.gather."""

    sources: np.ndarray
    """(N,) int32: index of the source pixel, whose centre has the label."""
    targets: np.ndarray
    """(N,) int32: index of the target pixel, which receives the colour."""
    shares: np.ndarray
    """(N,) float32: fraction of the target's subsamples."""

    @classmethod
    def of(cls, labels: np.ndarray) -> _Samples:
        """Samples of labels (3h, 3w)."""
        most = labels.size
        sources, targets, shares = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.float32)
        count = shading.gather(labels, sources, targets, shares)
        return cls(sources[:count], targets[:count], shares[:count])


def _albedo(view: View, centres: np.ndarray, uv: np.ndarray, samples: _Samples, palette: _Palette) -> np.ndarray:
    """Albedo of every sample, (N, 3) float32."""
    places = np.zeros((len(samples.sources), 3), np.float32)
    scale = np.float32(view.pixels_per_metre)
    shading.locate(centres, uv, palette.kinds, samples.sources, samples.targets, scale, places)
    albedo = np.empty_like(places)
    flat, store = centres.ravel(), _pooled(palette.textures)
    shading.look_up(flat, samples.sources, places, palette.kinds, palette.table, *store, albedo)
    paint = np.ascontiguousarray(view.paint, np.float32).reshape(-1, 3)
    colours = np.array(palette.colours or [np.ones(3)], np.float32)
    shading.paint_over(flat, samples.sources, paint, palette.kinds, palette.table, colours, albedo)
    return albedo


def _check(view: View, panels: Sequence[Panel]) -> None:
    height, width = view.light.shape[:2]
    if view.labels.shape != (height * SUBSAMPLES, width * SUBSAMPLES) or view.uv.shape[:2] != (height, width):
        raise IGRError("The view's buffers differ in size: create the view again with this version's studio.")
    if len(view.table) > 255 or any(label.panel >= len(panels) for label in view.table):
        raise IGRError("The view's labels name panels that are missing: pass the panels stored with the view.")


def _palette(view: View, panels: Sequence[Panel], dress: Dress, boxes: np.ndarray) -> _Palette:
    """Textures and colours of all visible labels; boxes (N, 4) are from shading.used_boxes."""
    kinds = np.full((256, 4), -1, np.int32)
    kinds[:, 0] = shading.NOTHING
    table = np.zeros((256, 10), np.float32)
    table[:, 9] = 1
    palette = _Palette(kinds, table, [], [], view.pixels_per_metre)
    palette.table[:, 8] = SHARPER
    atlas = _atlas(view, panels, dress, boxes)
    for number, label in enumerate(view.table):
        kind, row = palette.kinds[number], palette.table[number]
        if label.panel >= 0:
            if label.panel in atlas:
                _woven(kind, row, palette, label, panels[label.panel], dress, atlas[label.panel])
        elif label.kind in CLOTH_KINDS or label.kind in ("wall", "floor"):
            raise IGRError(
                f"A label of kind {label.kind} has no panel: create the view again with panels for the label."
            )
        else:
            _painted(kind, row, palette, label, dress)
    return palette


def _atlas(view: View, panels: Sequence[Panel], dress: Dress, boxes: np.ndarray) -> dict[int, Texture]:
    """The texture of every visible panel, shared by its inside and outside."""
    seen: dict[int, np.ndarray] = {}
    for label, box in zip(view.table, boxes, strict=True):
        if label.panel < 0 or box[2] < box[0]:
            continue
        known = seen.get(label.panel, box)
        seen[label.panel] = np.concatenate([np.minimum(known[:2], box[:2]), np.maximum(known[2:], box[2:])])
    atlas = {}
    for number, box in seen.items():
        panel, edges = panels[number], tuple(float(b) for b in box)
        if panel.kind in CLOTH_KINDS:
            atlas[number] = cloth_texture(panel, getattr(dress, panel.kind), edges, view.pixels_per_metre)
        else:
            atlas[number] = ground_texture(panel, ground_of(panel, dress), edges, view.pixels_per_metre)
    return atlas


def _woven(
    kind: np.ndarray, row: np.ndarray, palette: _Palette, label: Label, panel: Panel, dress: Dress, texture: Texture
) -> None:
    """Fill the kernel's row for a label with a panel."""
    kind[0], kind[1] = shading.CLOTH, palette.texture(texture)
    if panel.kind in CLOTH_KINDS:
        cloth = getattr(dress, panel.kind)
        fabric = fabric_of(panel, cloth)
        tile, gloss = weave_tile(fabric.weave), fabric.gloss
        row[4] = CONTRAST.get(fabric.weave, 0.0)
        if label.inside or panel.role == "lining":
            row[0], row[1:4], gloss = 0.75, linear_rgb(cloth.inside), 0.3 * gloss
    else:
        ground = ground_of(panel, dress)
        tile, gloss = ground_tile(ground.material, ground.colours, ground.size), ground.gloss
        row[4], row[9] = -ground.evened, ground.lit
        row[8] += ground.blur
    if tile is not None:
        kind[2] = palette.tile(tile)
    row[5:8] = gloss


def _painted(kind: np.ndarray, row: np.ndarray, palette: _Palette, label: Label, dress: Dress) -> None:
    """Fill the kernel's row for a label without a panel."""
    skin = dress.skin
    if label.kind == "skin":
        kind[0], kind[3] = shading.SKIN, palette.paints((skin.tone, skin.lips, skin.brow, skin.nail))
        kind[2] = palette.tile(skin_tile(round(skin.freckles, 1)))
        row[5:8] = skin.gloss
    elif label.kind == "hair":
        kind[0], kind[3] = shading.HAIR, palette.paints((skin.hair,))
        sheen = linear_rgb(skin.hair)
        row[5:8] = 0.35 * (0.3 + 0.7 * sheen / max(float(luminance(sheen)), 0.02)).clip(0.1, 1.6)
    elif label.kind == "eye":
        kind[0], kind[3] = shading.EYE, palette.paints(((226, 218, 212), skin.iris, (14, 12, 12)))
        row[5:8] = 1.0
    else:
        coat: Coat = getattr(dress, label.kind)
        kind[0], kind[3] = shading.PAINTED, palette.paints((coat.main, coat.second, coat.metal))
        row[5:8] = coat.gloss


def _pooled(textures: list[Texture]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All texels (N, 3) in one array, and the arrays `textures` (T, 4) and `levels` (T, L, 3) of shading.look_up."""
    if not textures:
        return np.ones((1, 3), np.float32), np.zeros((1, 4), np.float32), np.zeros((1, 1, 3), np.int32)
    most = max(len(texture.levels) for texture in textures)
    table, levels = np.zeros((len(textures), 4), np.float32), np.zeros((len(textures), most, 3), np.int32)
    start = 0
    for number, texture in enumerate(textures):
        table[number] = texture.left, texture.top, texture.scale, len(texture.levels) - 1
        levels[number, : len(texture.levels)] = texture.levels
        levels[number, :, 0] += start
        start += len(texture.texels)
    return np.concatenate([texture.texels for texture in textures]), table, levels
