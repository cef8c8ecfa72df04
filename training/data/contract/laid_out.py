"""Pairs of a data set laid out for a model: view, mask and crop of the person, and the garment on its canvas."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from scipy.ndimage import uniform_filter
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.view import Placement, make_view

from ..synthetic import corrupt_mask
from .augment import AugmentConfig, Augmented, augmented
from .correspondence import boxed, mirrored, to_cells
from .pairs import PairSource

ASYMMETRY_LIMIT = 0.05
"""Maximum asymmetry of a garment whose pair may be flipped.

Of 260 drawn garments, a quarter of those without lettering are below this limit, and none of the 49 with lettering.
"""
FIRST_OF_FILES = 1 << 61
"""Smallest number of a pair from files; the numbers of drawn pairs are their seeds, which are far smaller."""
LARGEST_BOX = 100
"""Maximum side of a garment's box as a multiple of its image's longer side."""
_MIRROR_SIDE = 256
_MIRROR_STEP = 40


@dataclass(frozen=True)
class ViewLayout:
    """Settings for laying out images for a model and for corrupting masks."""

    size: tuple[int, int]
    """Width and height in pixels of person, mask and garment; the model's native size."""
    view: ViewConfig
    """Layout of the photo for the model."""
    crop_size: int
    """Side in pixels of the crop p_g."""
    spoil_share: float = 0.0
    """Fraction of the pairs whose mask is corrupted with typical errors of people and segmenters."""
    spoil_strength: float = 0.5
    """Maximum strength (0..1) of the corruption; the strength of each mask is drawn between 0 and this value."""
    exact_share: float = 0.0
    """Fraction of the pairs that use an exact mask from the parsing map, in a data set with agnostic masks."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation of the photos."""
    cells: int = 8
    """Side in pixels of a latent cell, for data with a correspondence."""


class LaidOut(Protocol):
    """Pairs that are ready for the frozen networks."""

    names: Sequence[str]
    """Name of each pair, unique."""
    categories: Sequence[str]
    """Category of each pair."""
    garments: Sequence[str | None]
    """Name of each pair's garment; None if no other pair shows it."""
    described: dict[str, Any]
    """Origin of the pairs, as recorded in prepared shards."""

    def __len__(self) -> int: ...

    def pictures(self, indices: Iterable[int]) -> dict[str, Tensor]:
        """Person, mask, garment and crop of some pairs, each uint8 (B, C, h, w).

        If known, also `correspondence` (B, 2, rows, columns), float16, as in data.contract.correspondence.
        """
        ...


@dataclass(frozen=True)
class Selected:
    """One pair to lay out."""

    index: int
    """Index in the source."""
    flipped: bool = False
    """Whether to mirror person, mask and garment."""
    garment_box: tuple[int, int, int, int] | None = None
    """Box (left, top, right, bottom) of the garment image to place on the canvas, padded with white where it extends
    beyond the image; None for the whole image."""


class LaidOutPairs:
    """Pairs of a source, read on demand."""

    def __init__(
        self,
        source: PairSource,
        config: ViewLayout,
        selected: Sequence[Selected] | None = None,
        threads: int = 1,
        origin: Mapping[str, Any] | None = None,
        manifest: str | None = None,
    ) -> None:
        """`selected` lists the pairs and their settings; None selects all. `origin` is recorded in prepared shards in
        addition to the source's title. `manifest` is the curation folder that contains the boxes, named in messages.

        Raises IGRError for a data set without flat garments.
        """
        if not source.has_garments:
            raise IGRError(
                f"{source.title} has no flat garments: it can be used to restore garments, but not for training."
            )
        self.source, self.config = source, config
        self.selected = tuple(selected if selected is not None else map(Selected, range(len(source))))
        entries = [source.entries[one.index] for one in self.selected]
        self.names = [
            entry.name + (" flipped" if one.flipped else "") for one, entry in zip(self.selected, entries, strict=True)
        ]
        self.categories = [entry.category for entry in entries]
        # a mirrored copy is a different garment, which no photo of the original shows
        self.garments = [
            None if one.flipped else entry.garment for one, entry in zip(self.selected, entries, strict=True)
        ]
        laid_out = json.loads(json.dumps(asdict(config)))
        for name, value in (("exact_share", 0.0), ("augment", asdict(AugmentConfig()))):
            if laid_out[name] == value:  # so that shards made before these entries existed still match
                del laid_out[name]
        if not source.tells_correspondence:
            del laid_out["cells"]
        self.described = {"data": {"title": source.title, **(origin or {}), **laid_out}}
        self.manifest = manifest
        self._threads = threads

    def __len__(self) -> int:
        return len(self.selected)

    def pictures(self, indices: Iterable[int]) -> dict[str, Tensor]:
        """Person, mask, garment and crop of some pairs, each uint8 (B, C, h, w); raises IGRError for a bad file."""
        wanted = list(indices)
        if self._threads > 1 and len(wanted) > 1:
            with ThreadPoolExecutor(self._threads) as pool:
                found = list(pool.map(self._lay_out, wanted))
        else:
            found = [self._lay_out(index) for index in wanted]
        return {name: torch.stack([one[name] for one in found]) for name in found[0]}

    def _lay_out(self, index: int) -> dict[str, Tensor]:
        chosen, name = self.selected[index], self.names[index]
        photo = augmented(
            self.source.person(chosen.index), self._mask(chosen.index, name), name_number(name), self.config.augment
        )
        person, mask = photo.person, photo.mask
        garment = self.source.garment(chosen.index)
        if chosen.garment_box is not None:
            self._check_box(chosen.garment_box, garment.size, name)
        garment = fit_garment(garment, self.config.size, chosen.garment_box)
        if chosen.flipped:
            person, mask, garment = (ImageOps.mirror(picture) for picture in (person, mask, garment))
        try:
            view = make_view(
                _to_unit(person), _to_unit(mask), self.config.size, self.config.view, self.config.crop_size
            )
        except IGRError as error:
            raise IGRError(f"{self.source.title}, {name}: {error}") from error
        pictures = {
            "person": _to_bytes(view.person),
            "mask": _to_bytes(view.mask),
            "garment": torch.from_numpy(_to_array(garment)),
            "crop": _to_bytes(view.crop),
        }
        if self.source.tells_correspondence:
            pictures["correspondence"] = self._correspondence(chosen, photo, view.placements[0])
        return pictures

    def _check_box(self, box: tuple[int, int, int, int], size: tuple[int, int], name: str) -> None:
        """Raise IGRError for a box that does not overlap a garment image of `size`, or is far larger than the image."""
        inside = all(low < side and high > 0 for low, high, side in zip(box[:2], box[2:], size, strict=True))
        largest = LARGEST_BOX * max(size)
        if not inside or not all(0 < high - low <= largest for low, high in zip(box[:2], box[2:], strict=True)):
            where = f" in {self.manifest}" if self.manifest is not None else ""
            raise IGRError(
                f"{self.source.title}, {name}: the garment_box {' '.join(map(str, box))}{where} does not fit its "
                f"{size[0]}x{size[1]} image: score the pairs again with python -m training curate score."
            )

    def _correspondence(self, chosen: Selected, photo: Augmented, placement: Placement) -> Tensor:
        width, height = self.config.size
        cells = (height // self.config.cells, width // self.config.cells)
        places = self.source.correspondence(chosen.index)
        if places is None:  # the correspondence is unknown for this pair only
            return torch.full((2, *cells), torch.nan, dtype=torch.float16)
        places = photo.places(places)
        if chosen.garment_box is not None:
            places = boxed(places, chosen.garment_box)
        if chosen.flipped:
            places = mirrored(places, placement.source_size[0])
        size = places.shape[1], places.shape[0]
        return torch.from_numpy(to_cells(places, size, placement, cells)).half()

    def _mask(self, index: int, name: str) -> Image.Image:
        """A pair's mask: the source's mask or an exact mask. If the two are mixed, only exact masks are corrupted."""
        share = self.config.exact_share
        if share == 0:
            return self._corrupted(self.source.mask(index), name)
        if np.random.default_rng([name_number(name), 1908]).random() >= share:
            return self.source.mask(index)
        return self._corrupted(self.source.exact_mask(index), name)

    def _corrupted(self, mask: Image.Image, name: str) -> Image.Image:
        """The mask, corrupted in the same way each time it is read; unchanged if corruption would leave it empty."""
        if self.config.spoil_share == 0:
            return mask
        seed = name_number(name)
        rng = np.random.default_rng([seed, 1906])
        if rng.random() >= self.config.spoil_share:
            return mask
        corrupted = corrupt_mask(mask, seed, float(rng.uniform(0, self.config.spoil_strength)))
        return corrupted if corrupted.getbbox() is not None else mask


def name_number(name: str) -> int:
    """A number that depends only on the pair's name: the seed of a drawn pair, a hash for others."""
    if name.startswith("seed-") and name[5:].isdigit():
        return int(name[5:])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 3 | FIRST_OF_FILES


def fit_garment(
    garment: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int] | None = None
) -> Image.Image:
    """The garment image, or a box in it, scaled to fit `size` (width, height) and centred on white."""
    if box is not None:
        white = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), "white")
        white.paste(garment, (-box[0], -box[1]))
        garment = white
    if garment.size == size:
        return garment
    return ImageOps.pad(garment, size, Image.Resampling.LANCZOS, color="white")


def asymmetry(garment: Image.Image) -> float:
    """Asymmetry of a flat garment: the fraction (0..1) of its most asymmetric spot that clearly differs from the mirror
    image.

    A spot is a square whose side is a fifteenth of the garment's longer side, small enough to detect one small word on
    a large plain dress.
    """
    grey = np.asarray(garment.convert("L"))
    rows, columns = np.nonzero(grey < 250)
    if len(rows) == 0:
        return 1.0
    worn = garment.convert("RGB").crop(
        (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    )
    small = ImageOps.contain(worn, (_MIRROR_SIDE, _MIRROR_SIDE), Image.Resampling.LANCZOS)
    pixels = np.asarray(small).astype(np.int16)
    # seams and folds differ slightly between the sides, so the best of several small shifts is used
    shifts = [np.abs(pixels - np.roll(pixels[:, ::-1], shift, axis=1)).max(2) for shift in range(-3, 4)]
    different = (np.min(shifts, axis=0) > _MIRROR_STEP).astype(np.float32)
    return float(uniform_filter(different, _MIRROR_SIDE // 15, mode="constant").max())


def with_flips(source: PairSource, selected: Sequence[Selected], garments: Mapping[int, float]) -> list[Selected]:
    """All pairs, and a flipped copy of each pair whose garment is symmetric.

    Lettering is not symmetric, so it is never mirrored. `garments` contains the asymmetry of each garment by its index
    in the source.
    """
    flipped = [
        Selected(one.index, True, one.garment_box)
        for one in selected
        if garments[one.index] <= ASYMMETRY_LIMIT and not one.flipped
    ]
    return [*selected, *flipped]


def _to_unit(image: Image.Image) -> Tensor:
    return torch.from_numpy(_to_array(image)).float()[None] / 255  # (1, C, h, w)


def _to_array(image: Image.Image) -> np.ndarray:
    array = np.array(image)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))  # (C, h, w)


def _to_bytes(image: Tensor) -> Tensor:
    return (image[0] * 255).round().clamp(0, 255).byte()


PICTURES = ("garment", "person", "mask", "crop")
"""The images of a pair that are encoded, each uint8 (B, C, h, w)."""
