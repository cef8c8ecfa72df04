"""The pairs of an experiment, and the folder with their images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.model.config import ModelConfig
from igr_core.photo.images import save_image
from igr_core.photo.view import GarmentView, make_view

from ...base.files import write_text
from ...data.contract.laid_out import fit_garment
from ...data.contract.pairs import PairSource


class Subjects:
    """Pairs of a data set by file name, laid out for a model."""

    def __init__(self, source: PairSource) -> None:
        """Raises IGRError if two pairs would have the same file name."""
        self.source = source
        """The data set that the pairs are read from."""
        self.names = tuple(entry.name.replace("/", "_") for entry in source.entries)
        """File name (without suffix) of each pair."""
        self.photos = tuple(source.photo_name(row) for row in range(len(source)))
        """File name (without suffix) of each pair's photo in its data set."""
        self.categories = tuple(entry.category for entry in source.entries)
        """Category of each pair."""
        if len(set(self.names)) < len(self.names):
            raise IGRError(f"{source.title} has two pairs with the same file name: rename one of them.")

    def __len__(self) -> int:
        return len(self.names)

    def photos_of(self, row: int, most: int) -> list[int]:
        """A pair and up to `most` - 1 other pairs that show the same garment, in the order of the data set."""
        garment = self.source.entries[row].garment
        if garment is None:
            return [row]
        others = [other for other, entry in enumerate(self.source.entries) if entry.garment == garment and other != row]
        return [row, *others[: most - 1]]

    def photo(self, row: int) -> tuple[Tensor, Tensor]:
        """A pair's photo (3, h, w) and its mask (1, h, w), in 0..1."""
        return _unit(self.source.person(row))[0], _unit(self.source.mask(row))[0]

    def truth(self, row: int) -> Tensor:
        """A pair's flat garment (3, h, w) in 0..1, at its own size."""
        return _unit(self.source.garment(row).convert("RGB"))[0]

    def view(self, rows: Sequence[int], model: ModelConfig) -> GarmentView:
        """Views of some pairs for a model; the view of a single pair includes the photo at its own size.

        Raises IGRError naming the pair for an unusable photo or mask.
        """
        views = []
        for row in rows:
            person, mask = self.photo(row)
            try:
                views.append(
                    make_view(person[None], mask[None], model.native_size, model.view, model.image_encoder.image_size)
                )
            except IGRError as error:
                raise IGRError(f"{self.source.title}, {self.names[row]}: {error}") from error
        if len(views) == 1:
            return views[0]
        return GarmentView(
            torch.cat([view.person for view in views]),
            torch.cat([view.mask for view in views]),
            torch.cat([view.crop for view in views]),
            tuple(placement for view in views for placement in view.placements),
            tuple(warning for view in views for warning in view.warnings),
        )

    def write(self, folder: Path, model: ModelConfig, labels: bool) -> None:
        """Write persons/ (as the model sees them), truth/ and silhouettes/ (if available), and labels.json.

        Existing images are kept.
        """
        for kind in ("persons", "truth", "silhouettes") if self.source.has_garments else ("persons",):
            make_folder(folder / kind)
        attributes = {}
        for row, name in enumerate(tqdm(self.names, desc="persons and garments", unit="pair")):
            person, truth = folder / "persons" / f"{name}.png", folder / "truth" / f"{name}.png"
            if not person.is_file():
                save_image(person, self.view([row], model).person)
            if self.source.has_garments and not truth.is_file():
                save_picture(truth, fit_garment(self.source.garment(row), model.native_size))
            silhouette = folder / "silhouettes" / f"{name}.png"
            if self.source.has_garments and not silhouette.is_file():
                cover = self.source.garment_cover(row)
                if cover is not None:
                    save_picture(silhouette, fit_cover(cover, model.native_size))
            if labels:
                attributes[name] = {"category": self.categories[row], **self.source.labels(row)}
        write_text(folder / "labels.json", json.dumps(attributes, indent=1) + "\n")

    def silhouettes(self, folder: Path) -> Path | None:
        """Folder of the true garments' silhouettes from `write`; None if the data set lacks some of them."""
        found = folder / "silhouettes"
        return found if all((found / f"{name}.png").is_file() for name in self.names) else None


def fit_cover(cover: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale and pad a flat garment's silhouette to `size` (width, height), to cover what fit_garment shows."""
    grey = cover.convert("L")
    return grey if grey.size == size else ImageOps.pad(grey, size, Image.Resampling.BOX, color=0)


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write an image as PNG, atomically."""
    with atomic_file(path) as temporary:
        picture.save(temporary, format="PNG")


def _unit(picture: Image.Image) -> Tensor:
    array = torch.from_numpy(np.array(picture)).float() / 255
    return array[None, None] if array.ndim == 2 else array.permute(2, 0, 1)[None]
