"""Paint a scene: the photo of the person, the masks and the flat garment."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from igr_core.errors import IGRError

from .art.arrays import Array, enlarge
from .defects import DEFECTS
from .garments.parts import SOLE, Garment
from .painting.canvas import Canvas
from .painting.flat import flat_picture, flat_view, reduce
from .painting.layers import Layer, rasterise
from .painting.places import Places, find_in_photo
from .painting.view import View
from .photo.background import draw_background
from .photo.body import paint_arm, paint_hair_back, paint_head, paint_leg, paint_torso
from .photo.joints import find_joints
from .photo.masks import agnostic_mask
from .photo.occluders import paint_big_object, paint_hair_over, paint_handbag, paint_strap
from .scene import Scene, draw_scene, wobble_grid

NATIVE = (384, 512)
TUCK = 0.224  # distance along the spine at which a tucked top disappears into the waistband


@dataclass(frozen=True)
class Pair:
    """One training sample: a dressed person and the requested garment, flat on white."""

    person: Image.Image  # RGB
    garment_mask: Image.Image  # L 0/255, visible pixels of the garment
    agnostic_mask: Image.Image  # L 0/255, larger; also covers arms, legs or both
    garment: Image.Image  # RGB on pure white
    garment_silhouette: Image.Image  # L 0/255
    category: str  # "upper", "lower", "full"
    attributes: dict[str, str | float | bool]
    parsing: Image.Image  # L, an index into LABELS for each pixel of the person
    joints: dict[
        str, tuple[float, float, float]
    ]  # x, y in pixels, confidence, by OpenPose's names; only joints in the photo
    correspondence: Array | None = None
    """(h, w, 2) float32: for each pixel of `garment`, x and y of the same point in the photo, in pixels from the left
    and top edges; NaN where the point is hidden or there is no garment. None unless requested."""


def check_options(size: tuple[int, int], category: str | None = None, defect: str | None = None) -> None:
    """Raise IGRError for options that make_pair does not support."""
    width, height = size
    if width < 24 or width * 4 != height * 3:
        raise IGRError(f"Pairs cannot be drawn at {width}x{height}: use a 3:4 size such as 192x256 or 384x512.")
    if category not in (None, "upper", "lower", "full"):
        raise IGRError(f"Unknown category {category!r}: choose upper, lower or full.")
    if defect not in (None, *DEFECTS):
        raise IGRError(f"Unknown defect {defect!r}: choose one of {', '.join(DEFECTS)}.")


def make_pair(
    seed: int,
    size: tuple[int, int] | None = None,
    *,
    category: str | None = None,
    defect: str | None = None,
    coarse: float = 0.0,
    correspondence: bool = False,
) -> Pair:
    """Draw a seed's pair at `size` (width, height), 3:4 portrait; the same arguments always give the same bytes.

    `coarse` is the smallest repeat of the cloth's pattern, as a fraction of the garment's length. It keeps patterns
    coarse enough for a small model at a small size; 0 leaves them as drawn. `correspondence` adds the position in the
    photo of each pixel of the flat garment, and changes nothing else.
    """
    width, height = size or NATIVE
    check_options((width, height), category, defect)
    scene = draw_scene(seed, category, defect, coarse)
    inner = _inner((width, height))
    stretch = flat_view(scene.garment, scene.flat, *inner, scene.flat_fill)
    view = View(scene.scale, scene.offset, *inner)
    layers = _layers(scene.garment, max(stretch.ppu, view.ppu), scene.seed, 1)
    shown = [Places.of(layers, inner) for _ in range(2)] if correspondence else [None, None]
    flat, cover = flat_picture(scene.garment, layers, scene.flat, stretch, shown[0])
    canvas = paint_person(scene, view, layers, places=shown[1])
    rgb = ((canvas.rgb - 128) * scene.contrast + 128) * np.array(scene.light, np.float32)
    noise = np.random.default_rng([seed, 3]).standard_normal((256, 192)).astype(np.float32)
    rgb += enlarge(noise, *inner)[..., None] * 1.2
    mask = _as_mask(canvas.visible, (width, height))
    parsing = Image.fromarray(canvas.labels).resize((width, height), Image.Resampling.NEAREST)
    return Pair(
        reduce(rgb, (width, height)),
        mask,
        agnostic_mask(mask, scene.pose, view, scene.garment.category),
        reduce(flat, (width, height)),
        _as_mask(cover, (width, height)),
        scene.garment.category,
        _attributes(scene),
        parsing,
        find_joints(scene.pose, view, np.asarray(parsing)),
        _correspondence(shown[0], canvas, scene, (width, height)),
    )


def _correspondence(flat: Places | None, canvas: Canvas, scene: Scene, size: tuple[int, int]) -> Array | None:
    if flat is None or canvas.places is None or canvas.wobble is None:
        return None
    return find_in_photo(flat, canvas.places, scene.pose, canvas.view, canvas.wobble, size)


def other_mask(
    seed: int, size: tuple[int, int] | None = None, *, category: str | None = None, coarse: float = 0.0
) -> Image.Image | None:
    """Mask (L, 0/255) of the other half of the outfit in make_pair's photo; None if the category is full."""
    width, height = size or NATIVE
    check_options((width, height), category)
    scene = draw_scene(seed, category, None, coarse)
    if scene.other is None:
        return None
    view = View(scene.scale, scene.offset, *_inner((width, height)))
    canvas = paint_person(scene, view, _layers(scene.garment, view.ppu, scene.seed, 1), other_is_wanted=True)
    return _as_mask(canvas.visible, (width, height))


def _inner(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width to paint at, for images of `size`."""
    width, height = size
    factor = float(np.clip(round(600 / height * 4) / 4, 1.0, 2.0))
    return round(height * factor), round(width * factor)


def _as_mask(share: Array, size: tuple[int, int]) -> Image.Image:
    return reduce(share * 255, size).point(lambda v: 255 if v > 127 else 0)


def _attributes(scene: Scene) -> dict[str, str | float | bool]:
    return {
        **scene.garment.attributes,
        "defect": scene.defect,
        "occlusion": scene.occlusion,
        "framing": scene.framing,
        "lean": round(float(np.degrees(scene.pose.lean)), 2),
        "turn": round(scene.pose.turn, 3),
        "arm_left": scene.pose.arm_kinds[0],
        "arm_right": scene.pose.arm_kinds[1],
        "hair": scene.look.hairstyle,
        "scale": round(scene.scale, 4),
    }


def _layers(garment: Garment, ppu: float, seed: int, stream: int) -> list[Layer]:
    rng = np.random.default_rng([seed, 40 + stream])
    folds = float(rng.uniform(0.5, 1.3))
    return [rasterise(part, ppu, rng, folds) for part in garment.parts]


def paint_person(
    scene: Scene, view: View, layers: list[Layer], other_is_wanted: bool = False, places: Places | None = None
) -> Canvas:
    """Paint background, body, clothes and occluders from back to front, and record which parts of `layers` are visible.

    With `other_is_wanted`, the other half of the outfit is recorded instead. `places` tracks the pieces of cloth.
    """
    height, width = view.height, view.width
    rng = np.random.default_rng([scene.seed, 11])
    back, _ = draw_background(rng, height, width, scene.offset[1] + SOLE * scene.scale)
    grid = wobble_grid(scene.seed)
    wobble = np.stack([enlarge(grid[0], height, width), enlarge(grid[1], height, width)], -1)
    seen, labels = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
    canvas = Canvas(back, seen, labels, view, wobble, places=places)
    other = _layers(scene.other, view.ppu, scene.seed, 2) if scene.other else []
    over = _layers(scene.over, view.ppu, scene.seed, 3) if scene.over else []
    top, low = (other, layers) if scene.garment.category == "lower" else (layers, other)
    wanted = {id(layer) for layer in (other if other_is_wanted else layers)}
    _paint_outfit(canvas, scene, top, low, over, wanted)
    _paint_occlusion(canvas, scene, rng)
    return canvas


def _label(scene: Scene, layer: Layer) -> str:
    """The name in LABELS for a piece of cloth."""
    if scene.over is not None and any(layer.part is part for part in scene.over.parts):
        return "coat"
    own = any(layer.part is part for part in scene.garment.parts)
    garment = scene.garment if own else scene.other
    if garment is None:
        raise ValueError("A piece of cloth does not belong to any garment in the scene.")
    return "coat" if garment.cut == "jacket" else garment.category


def _wear(canvas: Canvas, scene: Scene, layers: list[Layer], wanted: set[int], until: float | None = None) -> None:
    for layer in layers:
        canvas = canvas.of(_label(scene, layer))
        canvas.cloth(layer, scene.pose.bones[layer.part.bone], True, id(layer) in wanted, 0.2, until)


def _paint_outfit(
    canvas: Canvas, scene: Scene, top: list[Layer], low: list[Layer], over: list[Layer], wanted: set[int]
) -> None:
    pose, look = scene.pose, scene.look
    sleeves = {s: [a for a in (over or top) if a.part.bone == f"arm_{s}"] for s in ("l", "r")}
    body = [a for a in top if not a.part.bone.startswith("arm") and a.part.z >= 0]
    behind = [a for a in top if a.part.z <= -2]
    paint_hair_back(canvas, pose, look)
    _wear(canvas, scene, behind, wanted)
    paint_torso(canvas, pose, look)
    for k, s in enumerate(("l", "r")):
        if not pose.arm_front[k]:
            paint_arm(canvas, pose, look, s)
            _wear(canvas, scene, sleeves[s], wanted)
    for s in ("l", "r"):
        paint_leg(canvas, pose, look, s)
    if scene.tucked and _tuckable(scene):
        _wear(canvas, scene, body, wanted, TUCK)
        _wear(canvas, scene, low, wanted)
    else:
        _wear(canvas, scene, low, wanted)
        _wear(canvas, scene, body, wanted)
    _wear(canvas, scene, [a for a in over if not a.part.bone.startswith("arm") and a.part.z >= 0], wanted)
    for k, s in enumerate(("l", "r")):
        if pose.arm_front[k]:
            paint_arm(canvas, pose, look, s, hand=pose.arm_kinds[k] != "pocket")
            _wear(canvas, scene, sleeves[s], wanted)
    paint_head(canvas, pose, look)


def _tuckable(scene: Scene) -> bool:
    upper = scene.garment if scene.garment.category == "upper" else scene.other
    return (
        scene.garment.category != "full"
        and upper is not None
        and upper.cut in ("tee", "shirt", "blouse", "tank", "long_sleeve", "polo")
    )


def _paint_occlusion(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    if scene.defect == "occluded":
        low = {"upper": 0.16, "lower": 0.34, "full": 0.2}[scene.garment.category]
        paint_big_object(canvas, scene.pose, rng, low + float(rng.uniform(-0.03, 0.05)))
    elif scene.occlusion == "hair":
        paint_hair_over(canvas, scene.pose, scene.look.hair, rng)
    elif scene.occlusion == "strap":
        paint_strap(canvas, scene.pose, rng)
    elif scene.occlusion == "handbag":
        paint_handbag(canvas, scene.pose, rng, "l" if rng.random() < 0.5 else "r")
