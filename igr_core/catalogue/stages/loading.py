"""The first stage: read the photos of garments and their masks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from ...errors import IGRError
from ...photo.image_files import decode_image
from ...photo.images import photo_and_mask_of_images, photo_of_image
from ...photo.view import GarmentView, make_view
from ...storage import is_url, local_path, read_location
from ..ledger import Ledger, guarded
from ..settings import BEGUN, CatalogueSettings, Output
from ..table.items import Item, Photo
from .failures import CRASHED, sentence_of


@dataclass(frozen=True)
class Loaded:
    """A garment's photos."""

    item: Item
    """The garment."""
    views: tuple[GarmentView | Image.Image, ...] = ()
    """For each photo that can be used, its view, or the photo itself if its mask must still be found."""
    photos: tuple[Photo, ...] = ()
    """The photos that can be used."""
    warnings: tuple[str, ...] = ()
    """Warnings about photos that were left out."""
    error: str = ""
    """Error message if the garment cannot be restored."""
    crashed: bool = False
    """Whether the garment crashes its workers."""

    @property
    def name(self) -> str:
        """Name of the garment."""
        return self.item.name

    @property
    def size(self) -> int:
        """Approximate size of the photos in memory, in bytes."""
        return sum(_size(one) for one in self.views)


class Loading:
    """Loads garments; a photo that cannot be used is left out, but if it is the first, the garment fails."""

    def __init__(self, settings: CatalogueSettings, output: Output) -> None:
        self._settings = settings
        self._ledger = Ledger(output.folder(BEGUN), "load")

    def __call__(self, items: Sequence[Item]) -> list[Loaded]:
        """Load garments, in any order."""
        return list(guarded(self._ledger, items, self._load_all, _crashed))

    def _load_all(self, items: Sequence[Item]) -> list[Loaded]:
        return [self._load(item) for item in items]

    def _load(self, item: Item) -> Loaded:
        views: list[GarmentView | Image.Image] = []
        photos, warnings = [], []
        for number, photo in enumerate(item.photos):
            try:
                views.append(self._read(photo, item.category))
                photos.append(photo)
            except Exception as error:
                sentence = sentence_of(error, item.name)
                if number == 0:
                    return Loaded(item, error=sentence)
                warnings.append(f"Restored without {photo.path}: {sentence}")
        return Loaded(item, tuple(views), tuple(photos), tuple(warnings))

    def _read(self, photo: Photo, category: str) -> GarmentView | Image.Image:
        if photo.error:
            raise IGRError(photo.error)
        image = _decoded(photo.path)
        if not photo.mask:
            return photo_of_image(image, photo.path)
        mask = _decoded(photo.mask)
        person, cover = photo_and_mask_of_images(image, mask, photo.path, photo.mask)
        return view_of(person, cover, category, self._settings, f"{photo.path} with mask {photo.mask}")


def view_of(person: Tensor, mask: Tensor, category: str, settings: CatalogueSettings, name: str) -> GarmentView:
    """The view of a photo (1, 3, H, W) with its mask (1, 1, h, w); raises IGRError naming `name`.

    The original photo is kept only if its details or pixels will be used.
    """
    own = settings.restore
    try:
        view = make_view(person, mask, own.size, own.view, own.crop_size, category)
    except IGRError as error:
        raise IGRError(f"{name}: {error}") from error
    detailed = own.detailing is not None and own.detailing.size is not None
    kept = detailed or own.start == "flat"
    return view if kept else dataclasses.replace(view, photo=None, photo_mask=None)


def _decoded(location: str) -> Image.Image:
    return decode_image(read_location(location) if is_url(location) else local_path(location), location)


def _size(view: GarmentView | Image.Image) -> int:
    if isinstance(view, Image.Image):
        return 3 * view.width * view.height
    parts = (view.person, view.mask, view.crop, view.photo, view.photo_mask)
    return sum(part.nbytes for part in parts if part is not None)


def _crashed(item: Item) -> Loaded:
    return Loaded(item, error=CRASHED, crashed=True)
