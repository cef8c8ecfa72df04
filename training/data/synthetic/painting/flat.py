"""The flat image: the same parts laid out upright on pure white."""

import numpy as np
from PIL import Image

from ..art.arrays import Array
from ..garments.parts import Garment, Part
from .canvas import Canvas
from .layers import Layer
from .places import Places
from .pose import Pose
from .view import View


def bounds(parts: tuple[Part, ...], pose: Pose) -> tuple[Array, Array]:
    """Lowest and highest corners of posed parts in the body plane."""
    points = np.concatenate([pose.bones[p.bone].forward(p.outline) for p in parts])
    return points.min(0), points.max(0)


def flat_view(garment: Garment, pose: Pose, height: int, width: int, fill: float) -> View:
    """Centre the garment so that its bounding box fills `fill` of the canvas in the tighter direction."""
    low, high = bounds(garment.parts, pose)
    size = high - low
    scale = fill * min(1.0 / float(size[1]), width / height / float(size[0]))
    middle = (low + high) / 2 * scale
    offset = (width / height / 2 - float(middle[0]), 0.5 - float(middle[1]))
    return View(scale, offset, height, width)


def flat_picture(
    garment: Garment, layers: list[Layer], pose: Pose, view: View, places: Places | None = None
) -> tuple[Array, Array]:
    """Draw the flat garment: rgb (h, w, 3) on white and its coverage (h, w); `places` tracks the pieces of cloth."""
    shape = (view.height, view.width)
    white, none = np.full((*shape, 3), 255, np.float32), np.zeros(shape, np.float32)
    canvas = Canvas(white, none, np.zeros(shape, np.uint8), view, places=places)
    for layer in layers:
        canvas.cloth(layer, pose.bones[layer.part.bone], worn=False, garment=True, shadow=0.16)
    cover = canvas.visible[..., None]
    return canvas.rgb * cover + 255 * (1 - cover), canvas.visible


def reduce(image: Array, size: tuple[int, int]) -> Image.Image:
    """Convert a float image (h, w, 3) or mask 0..255 to an 8-bit PIL image of `size` (width, height)."""
    picture = Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return picture if picture.size == size else picture.resize(size, Image.Resampling.HAMMING)
