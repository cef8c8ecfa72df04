"""The third stage: write images and records, each under its final name only once it is complete."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import IGRError
from ...outputs import CannotWrite
from ...photo.images import encode_image
from ..report.outcome import CRASHED, FAILED, RESTORED, SET_ASIDE, Outcome
from ..report.records import record_name, to_record
from ..settings import ASIDE, EVIDENCE, GARMENTS, RECORDS, THUMBNAILS, CatalogueSettings, Output
from .restoring import Restored

_HEIGHT = 192
"""Height of thumbnails in pixels."""
_AT_ONCE = 8
"""Number of garments that are written at the same time, because object stores are slow to answer."""


class Writing:
    """Writes garments, their evidence maps and thumbnails, and then their records."""

    def __init__(self, settings: CatalogueSettings, output: Output) -> None:
        self._settings = settings
        names = (GARMENTS, ASIDE, EVIDENCE, THUMBNAILS, RECORDS)
        self._folders = {name: output.folder(name) for name in names}

    def __call__(self, given: Sequence[Restored]) -> list[Outcome]:
        """Write garments, and then one record for all of them. Raises CannotWrite if this fails, which ends a run."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outcomes = list(pool.map(self._write, given))
        self._folders[RECORDS].write(record_name([one.name for one in outcomes]), to_record(outcomes))
        return outcomes

    def _write(self, one: Restored) -> Outcome:
        try:
            return self._write_images(one)
        except CannotWrite:
            raise
        except IGRError as error:  # such as NaN
            return self._outcome(one, error=str(error))

    def _write_images(self, one: Restored) -> Outcome:
        if one.image is None:
            return self._outcome(one)
        own = self._settings.restore
        aside = one.evidence is not None and one.evidence < own.min_evidence
        folder, other = (ASIDE, GARMENTS) if aside else (GARMENTS, ASIDE)
        name = f"{one.name}.{self._settings.image_type}"
        image = encode_image(one.image, Path(name), own.mode)
        visible, map_name = None, ""
        if one.visible is not None:
            map_name = f"{one.name}.png"
            visible = encode_image(_resized(one.visible, one.image.shape[-2]), Path(map_name), "L")
        assert one.person is not None
        self._folders[THUMBNAILS].write(f"{one.name}.webp", _thumbnail(one.person, one.image))
        if visible is not None:
            self._folders[EVIDENCE].write(map_name, visible)
        self._folders[folder].write(name, image)
        if own.min_evidence > 0:
            self._folders[other].remove(name)  # from an earlier run
        return self._outcome(one, f"{folder}/{name}", f"{EVIDENCE}/{map_name}" if map_name else "", aside)

    def _outcome(
        self, one: Restored, image: str = "", map_name: str = "", aside: bool = False, error: str = ""
    ) -> Outcome:
        error = error or one.error
        status = (CRASHED if one.crashed else FAILED) if error else SET_ASIDE if aside else RESTORED
        return Outcome(
            one.name,
            status,
            one.item.photos[0].path,
            len(one.item.photos) - one.left_out,
            one.category,
            image,
            map_name,
            None if error else _rounded(one.evidence),
            None if error else _rounded(one.agreement),
            error,
            " ".join(one.warnings),
            one.note,
            None if error else round(one.seconds, 3),
            self._settings.model,
            self._settings.in_words,
            one.item.inputs,
        )


def _thumbnail(person: Tensor, image: Tensor) -> bytes:
    """A small image of the photo's view and the garment, side by side, as WebP."""
    flat = image[:, :3]
    if image.shape[1] == 4:
        flat = flat * image[:, 3:] + 1 - image[:, 3:]
    both = [_resized(one, _HEIGHT) for one in (person, flat)]
    gap = both[0].new_ones(1, 3, _HEIGHT, 4)
    return encode_image(torch.cat([both[0], gap, both[1]], -1), Path("thumbnail.webp"))


def _resized(image: Tensor, height: int) -> Tensor:
    """An image (1, C, H, W) at another height, antialiased."""
    width = max(1, round(image.shape[-1] * height / image.shape[-2]))
    if image.shape[-2:] == (height, width):
        return image
    resized = F.interpolate(image.float(), (height, width), mode="bilinear", antialias=True, align_corners=False)
    return resized.clamp(0, 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
