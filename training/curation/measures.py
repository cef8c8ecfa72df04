"""Measures of the four defects from a garment's silhouette, a parsing map and joints: one function per score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from .evidence import Evidence

Point = tuple[float, float]
AS_FLAT = 0.9
"""Coverage of a garment worn by a person who faces the camera, relative to the flat garment's coverage."""
FACING_BY_FACE = {"upper": 2.19, "lower": 1.88, "full": 2.11}
"""Median width of a garment on a person who faces the camera, relative to the width of the person's face."""
FACING_SPAN = {"upper": 0.716, "lower": 0.589, "full": 0.356}
"""Median extent of a garment's rows on a person who faces the camera, relative to the garment's height."""
SLENDER_FLAT = {"upper": 0.63, "lower": 0.57, "full": 0.4}
"""Width / height below which a flat garment is narrow."""


@dataclass(frozen=True)
class Facing:
    """Ratios of distances between the joints of a person who faces the camera."""

    shoulders: float
    """Shoulder to shoulder / neck to mid hip."""
    hips: float
    """Hip to hip / neck to mid hip."""
    thigh: float
    """Hip to hip / hip to knee."""


def truncated(evidence: Evidence) -> float:
    """Fraction of the garment's outline that is on the photo's border; 0 for a completely visible garment."""
    garment = evidence.garment
    outline = garment & ~ndimage.binary_erosion(garment)
    strips = ((garment[:2], 0), (garment[-2:], 0), (garment[:, :2], 1), (garment[:, -2:], 1))
    border = sum(
        int(strip.any(axis).sum()) for strip, axis in strips
    )  # include the second row or column from the border, because resized masks may end there
    return border / max(int(outline.sum()), 1)


def occluded(evidence: Evidence) -> float:
    """Fraction of the garment's expected area that shows background or an unknown object."""
    if evidence.parsing is None:
        return _missing_from_mask(evidence)
    unknown = evidence.parsing.of("background", "other")
    core = _core(evidence) if evidence.joints is not None else None
    if core is None or core.sum() < 20:
        return _gap_in_person(evidence.garment, unknown)
    return (unknown & core).sum() / core.sum()


def side_view(evidence: Evidence, whole: bool, facing: Facing) -> float:
    """How much narrower (0..1) the person is than a person who faces the camera: 0.5 at half the width.

    `whole` states whether the whole garment is visible; if not, only joints are used.
    """
    if evidence.joints is not None:
        width = _width(evidence.joints, facing)
        if width is not None:
            return 1 - width
    if not whole:
        return 0.0
    by_flat = coverage(evidence.garment) / coverage(evidence.flat) / AS_FLAT
    if evidence.parsing is None:
        by_height = _span(evidence.garment) / FACING_SPAN[evidence.category]
        return 1 - float(np.sqrt(by_height * by_flat))
    return 1 - min(by_flat, _width_by_face(evidence))


def proportion(evidence: Evidence, fill: float, whole: bool) -> float:
    """How much smaller the flat garment is than `fill` of a 3:4 canvas, or how much narrower than the worn garment.

    Both are fractions, and the larger one is returned. `whole` states whether the whole worn garment is visible; if
    not, it is not compared.
    """
    left, top, right, bottom = box_of(evidence.flat)
    height, width = evidence.flat.shape
    canvas = max(width, height * 0.75)  # the image is padded to 3:4
    small = 1 - max((right - left) / canvas, (bottom - top) / (canvas / 0.75)) / fill
    if not whole:
        return small
    worn, flat = slenderness(evidence.garment), slenderness(evidence.flat)
    narrow = min(1 - flat / worn, 1 - flat / SLENDER_FLAT[evidence.category])
    return max(small, narrow)


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a mask (H, W) that is not empty."""
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def coverage(mask: np.ndarray) -> float:
    """Area of a silhouette divided by the square of its height."""
    _, top, _, bottom = box_of(mask)
    return float(mask.sum()) / (bottom - top) ** 2


def slenderness(mask: np.ndarray) -> float:
    """Median width of a silhouette's rows, from 30% to 80% of the way down, divided by its height."""
    _, top, _, bottom = box_of(mask)
    height = bottom - top
    rows = mask[top + int(0.3 * height) : top + max(int(0.8 * height), int(0.3 * height) + 1)].sum(1)
    return max(float(np.median(rows)), 1.0) / height


def opened(mask: np.ndarray, radius: float) -> np.ndarray:
    """Morphological opening of a mask (H, W) with a disk of `radius` pixels."""
    inner = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > radius
    if not inner.any():
        return inner
    return ndimage.distance_transform_edt(~inner) <= radius


def between(mask: np.ndarray, axis: int) -> np.ndarray:
    """Pixels between parts of the mask, along an axis."""
    ahead = np.maximum.accumulate(mask, axis)
    return ahead & np.flip(np.maximum.accumulate(np.flip(mask, axis), axis), axis)


def _missing_from_mask(evidence: Evidence) -> float:
    """The smaller of two fractions: gaps in the silhouette, and the part of the flat garment's area that is missing."""
    garment = evidence.garment
    gap = (between(garment, 0) | between(garment, 1)) & ~garment
    wide = opened(gap, 0.02 * garment.shape[0]).sum()
    return min(wide / (wide + garment.sum()), 1 - coverage(garment) / coverage(evidence.flat))


def _gap_in_person(garment: np.ndarray, unknown: np.ndarray) -> float:
    """Gap / (garment + gap), where the gap is unknown pixels on the body's axis with the person above and below."""
    person = ~unknown
    gap = opened(unknown & between(person, 0), 0.025 * unknown.shape[0])
    rows, columns = np.nonzero(person)
    if not gap.any() or len(rows) == 0:
        return 0.0
    slope, start = np.polyfit(rows, columns, 1) if np.ptp(rows) else (0.0, float(columns.mean()))
    parts, _ = ndimage.label(gap)
    lines = np.arange(gap.shape[0])
    axis = np.clip(np.rint(start + slope * lines).astype(int), 0, gap.shape[1] - 1)
    counts = np.bincount(parts[lines, axis], minlength=int(parts.max()) + 1)
    counts[0] = 0
    on_axis = np.isin(parts, np.nonzero(counts >= 0.03 * gap.shape[0])[0])
    hidden = (gap & on_axis).sum()
    return hidden / (hidden + garment.sum())


def _core(evidence: Evidence) -> np.ndarray | None:
    """Trunk or pelvis, (H, W) bool, where according to the joints a garment of the category must be.

    None if a hip, the neck or the middle of the hips is missing.
    """
    joints = evidence.joints or {}
    hips = [joints.get("right_hip"), joints.get("left_hip")]
    neck, middle = joints.get("neck"), joints.get("mid_hip")
    if None in hips or neck is None or middle is None:
        return None
    shoulders = [
        joints.get(f"{side}_shoulder") or _between(neck, hip, 0.1) for side, hip in zip(("right", "left"), hips)
    ]
    if evidence.category == "upper":
        corners = [shoulders[0], shoulders[1], hips[1], hips[0]]
    else:
        waist = [_between(shoulder, hip, 0.55) for shoulder, hip in zip(shoulders, hips, strict=True)]
        low = [_between(middle, hip, 0.8) for hip in hips]
        corners = [waist[0], waist[1], low[1], low[0]]
        if evidence.category == "full":
            corners = [shoulders[0], shoulders[1], *corners[1:3], low[0], waist[0]]
    drawn = Image.new("L", (evidence.garment.shape[1], evidence.garment.shape[0]))
    ImageDraw.Draw(drawn).polygon(corners, fill=255)
    return np.asarray(drawn) > 0


def _between(first: Point, second: Point, share: float) -> Point:
    return first[0] + (second[0] - first[0]) * share, first[1] + (second[1] - first[1]) * share


def _width(joints: dict[str, Point], facing: Facing) -> float | None:
    """The person's width relative to that of a person who faces the camera: the mean of all available ratios of joints;
    None if there are none."""

    def distance(first: str, second: str) -> float | None:
        if first not in joints or second not in joints:
            return None
        (x, y), (u, v) = joints[first], joints[second]
        return float(np.hypot(x - u, y - v))

    shoulders, hips = distance("left_shoulder", "right_shoulder"), distance("left_hip", "right_hip")
    trunk = distance("neck", "mid_hip")
    thighs = [one for side in ("left", "right") if (one := distance(f"{side}_hip", f"{side}_knee"))]
    found = []
    if trunk:
        widths = ((shoulders, facing.shoulders), (hips, facing.hips))
        found += [width / trunk / usual for width, usual in widths if width is not None]
    if not found and hips is not None and thighs:
        found.append(hips / max(thighs) / facing.thigh)
    return float(np.mean(found)) if found else None


def _width_by_face(evidence: Evidence) -> float:
    """Median width of the garment relative to the face: 1 if the person faces the camera, infinite without a face."""
    assert evidence.parsing is not None
    width = int(evidence.parsing.of("face").sum(1).max())
    _, top, _, bottom = box_of(evidence.garment)
    rows = evidence.garment[top:bottom].sum(1)
    return float(np.median(rows)) / width / FACING_BY_FACE[evidence.category] if width else float("inf")


def _span(mask: np.ndarray) -> float:
    """Like slenderness, but from the extent of each row, which includes gaps."""
    return slenderness(between(mask, 1))
