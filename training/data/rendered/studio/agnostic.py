"""Masks, label maps and joints of a photo, as in published data sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from igr_core.segmentation.labels import ATR

from ...contract.keypoints import JOINTS_25
from ...synthetic.photo.masks import dilated
from ..base.surfaces import Kind
from ..base.views import View
from .rays.rendering import Shot
from .scene.cameras import Camera

Joint = tuple[float, float, float]
"""x, y in pixels, and confidence in 0..1."""

HIDDEN_BEHIND = 0.2
"""Distance in metres behind the visible surface beyond which a joint counts as occluded; joints lie inside the body."""
HIDDEN_CONFIDENCE = 0.5
"""Confidence of occluded joints."""
GROWTH = 0.022
"""Dilation of the garment in an agnostic mask, as a fraction of the photo's height."""
ARM = (("shoulder", 0.075), ("elbow", 0.065), ("wrist", 0.05))
LEG = (("hip", 0.095), ("knee", 0.085), ("ankle", 0.06))
"""Joints of a limb, and the limb's half width at each joint in agnostic masks, metres."""
_LIMBS = {
    "arm": (("shoulder", "elbow", 0.05), ("elbow", "wrist", 0.04)),
    "leg": (("hip", "knee", 0.085), ("knee", "ankle", 0.055), ("ankle", "big_toe", 0.04)),
}
"""Bones of a limb and their usual radius, metres."""
_HAND = 0.75
"""Length of a hand relative to the lower arm."""


def seen_joints(joints: Mapping[str, np.ndarray], camera: Camera, shot: Shot) -> dict[str, Joint]:
    """Project named `joints` (3,) into the photo; joints outside the frame are omitted, and occluded ones get
    HIDDEN_CONFIDENCE."""
    width, height = camera.size
    names = [name for name in JOINTS_25 if name in joints]
    x, y, depth = camera.project(np.stack([joints[name] for name in names]))
    found = {}
    for number, name in enumerate(names):
        if depth[number] > 0 and 0 <= x[number] < width and 0 <= y[number] < height:
            before = depth[number] - shot.depth[int(y[number]), int(x[number])]
            sure = 1.0 if before < HIDDEN_BEHIND else HIDDEN_CONFIDENCE
            found[name] = (round(float(x[number]), 2), round(float(y[number]), 2), sure)
    return found


def kind_mask(view: View, kind: Kind) -> np.ndarray:
    """(h, w) uint8, 255 for pixels that show surfaces of `kind`, inside or outside, and 0 elsewhere."""
    is_kind = np.zeros(256, np.uint8)
    is_kind[: len(view.table)] = [255 * (label.kind == kind) for label in view.table]
    return is_kind[view.centres]


def agnostic_mask(garment: np.ndarray, joints: Mapping[str, np.ndarray], camera: Camera, category: str) -> np.ndarray:
    """The garment's mask (h, w) of 0 and 255, dilated, plus the arms (upper, full) and the legs (lower, full).

    `joints` (3,) are in world coordinates, by the names of JOINTS_25; hands and feet are not included.
    """
    mask = dilated(Image.fromarray(garment), max(2, round(GROWTH * garment.shape[0])))
    draw = ImageDraw.Draw(mask)
    limbs = [ARM] * (category in ("upper", "full")) + [LEG] * (category in ("lower", "full"))
    for limb in limbs:
        for side in ("left", "right"):
            points = np.stack([joints[f"{side}_{name}"] for name, _ in limb])
            x, y, _ = camera.project(points)
            half = [width * camera.pixels_per_metre(at) for (_, width), at in zip(limb, points, strict=True)]
            _draw_limb(draw, np.stack([x, y], axis=1), half)
    return np.asarray(mask)


def atr_labels(shot: Shot, joints: Mapping[str, np.ndarray], camera: Camera, clothes: Mapping[Kind, str]) -> np.ndarray:
    """Label map (h, w) uint8 with ATR-18's numbers.

    `clothes` gives the label's name for each kind of cloth: {"garment": "upper-clothes", "other_1": "pants"}. Skin is
    labelled by the bone that is nearest in space; ATR has no label for neck and trunk, which count as face.
    """
    number = {name: place for place, name in enumerate(ATR.labels)}
    plain = {"hair": "hair", "eye": "face", "bag": "bag", **clothes}
    of_label = np.zeros(256, np.uint8)
    of_label[: len(shot.view.table)] = [number[plain.get(label.kind, "background")] for label in shot.view.table]
    labels = of_label[shot.view.centres]
    points = seen_points(shot, camera)
    for kind in ("skin", "shoe"):
        chosen = kind_mask(shot.view, kind) > 0
        if chosen.any():
            labels[chosen] = _nearest_part(points[chosen], joints, feet_only=kind == "shoe")
    return labels


def seen_points(shot: Shot, camera: Camera) -> np.ndarray:
    """World positions (h, w, 3) at the pixels' centres; not finite in empty areas."""
    height, width = shot.depth.shape
    y, x = np.mgrid[:height, :width] + 0.5
    rays = camera.directions(x.ravel(), y.ravel())
    along = shot.depth.reshape(-1, 1) / (rays @ camera.axes[2])[:, None]
    return (np.asarray(camera.position) + rays * along).reshape(height, width, 3)


def _nearest_part(points: np.ndarray, joints: Mapping[str, np.ndarray], feet_only: bool) -> np.ndarray:
    """(N,) uint8 ATR label of each point (N, 3) on skin or shoes."""
    parts: list[str] = []
    distances = []
    for side in ("left", "right"):
        for limb, bones in _LIMBS.items():
            name = f"{side}-shoe" if feet_only else f"{side}-{limb}"
            for start, end, radius in bones:
                if feet_only and end != "big_toe":
                    continue
                parts.append(name)
                distances.append(_distance(points, joints[f"{side}_{start}"], joints[f"{side}_{end}"]) - radius)
            if limb == "arm" and not feet_only:
                wrist = joints[f"{side}_wrist"]
                tip = wrist + _HAND * (wrist - joints[f"{side}_elbow"])
                parts.append(name)
                distances.append(_distance(points, wrist, tip) - 0.04)
    if not feet_only:
        head = joints["nose"] + 0.5 * (joints["nose"] - joints["neck"])
        for start, end, radius in ((joints["neck"], head, 0.09), (joints["mid_hip"], joints["neck"], 0.13)):
            parts.append("face")
            distances.append(_distance(points, start, end) - radius)
    numbers = np.array([ATR.labels.index(part) for part in parts], np.uint8)
    return numbers[np.argmin(np.stack(distances), axis=0)]


def _distance(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances (N,) of points (N, 3) from the line segment between two points (3,)."""
    along = end - start
    share = np.clip((points - start) @ along / max(float(along @ along), 1e-9), 0, 1)
    return np.linalg.norm(points - start - share[:, None] * along, axis=1)


def _draw_limb(draw: ImageDraw.ImageDraw, points: np.ndarray, half: list[float]) -> None:
    """Fill a limb along `points` (N, 2) in pixels, with half widths `half` and round joints."""
    for at, radius in zip(points, half, strict=True):
        draw.ellipse((*(at - radius), *(at + radius)), fill=255)
    for number in range(len(points) - 1):
        start, end = points[number], points[number + 1]
        along = end - start
        across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
        first, second = across * half[number], across * half[number + 1]
        outline = [start + first, end + second, end - second, start - first]
        draw.polygon([(float(x), float(y)) for x, y in outline], fill=255)
