"""Evidence for judging a pair: silhouettes of the worn and the flat garment, and labels and joints if known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from scipy import ndimage

from igr_core.errors import IGRError

from ..data.contract.keypoints import Keypoints
from ..data.contract.pairs import PairSource
from ..data.contract.parsing import Parsing

EvidenceKind = Literal["keypoints", "parsing", "mask"]
"""Evidence to use: parsing and keypoints, parsing only, or mask only; the flat garment is always used."""
LEAST_CONFIDENCE = 0.1
"""Joints with a lower confidence are not used."""
SIDE = 256
"""Height in pixels at which images are analysed; larger images do not improve the scores."""


@dataclass(frozen=True)
class Evidence:
    """Evidence for judging a pair."""

    category: str
    """upper, lower or full."""
    garment: np.ndarray
    """(H, W) bool: the garment in the photo."""
    flat: np.ndarray
    """(h, w) bool: the garment in its flat image."""
    parsing: Parsing | None = None
    """Labels (H, W) of the photo; None if the data set has none."""
    joints: dict[str, tuple[float, float]] | None = None
    """x, y in pixels of (H, W) by OpenPose's names; None if the data set has none."""

    @property
    def kind(self) -> EvidenceKind:
        """The available evidence."""
        if self.parsing is None:
            return "mask"
        return "parsing" if self.joints is None else "keypoints"


def gather(source: PairSource, index: int, most: EvidenceKind = "keypoints") -> Evidence:
    """Gather the evidence for a pair, limited to the kind `most`.

    Raises IGRError naming the pair or file for an unreadable image, or an image without a garment.
    """
    entry = source.entries[index]
    parsing = source.parsing(index) if most != "mask" else None
    points = source.keypoints(index) if most == "keypoints" and parsing is not None else None
    if parsing is not None:
        scale = SIDE / parsing.labels.shape[0]
        parsing = Parsing(_smaller(parsing.labels, scale), parsing.table)
        garment = parsing.garment(entry.category)
    else:
        mask = np.asarray(source.mask(index).convert("L"))
        scale = SIDE / mask.shape[0]
        garment = _smaller(mask, scale) > 127
    flat = flat_cover(source, index)
    for picture, what in ((garment, "garment in its photo"), (flat, "garment in its flat image")):
        if not picture.any():
            raise IGRError(f"{source.title}, {entry.name}, shows no {what}: drop the pair or fix its files.")
    return Evidence(entry.category, garment, flat, parsing, _scaled(points, scale))


def flat_cover(source: PairSource, index: int) -> np.ndarray:
    """Mask of the garment in its flat image, (h, w) bool, SIDE pixels high; from the cover or, without one, from
    non-white pixels."""
    cover = source.garment_cover(index)
    if cover is None:
        found = np.asarray(source.garment(index).convert("RGB")).min(2) < 245
    else:
        found = np.asarray(cover.convert("L")) > 127
    found = _smaller((found * 255).astype(np.uint8), SIDE / found.shape[0]) > 127
    # in a white shirt on white, only seams and shadows are detected; the area that they enclose is also garment
    return ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(found, 4), iterations=3))[4:-4, 4:-4] | found


def _smaller(picture: np.ndarray, scale: float) -> np.ndarray:
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST))


def _scaled(points: Keypoints | None, scale: float) -> dict[str, tuple[float, float]] | None:
    if points is None or not points.joints:
        return None
    return {
        name: (joint.x * scale, joint.y * scale)
        for name, joint in points.joints.items()
        if joint.confidence >= LEAST_CONFIDENCE
    }
