"""Match the lists that IGR Contact Sheet receives. Independent of ComfyUI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.photo.view import GarmentView
from ..images import to_photos
from .sheet_report import Garment, split_prefix

T = TypeVar("T")


def matched(
    person: Sequence[Tensor],
    garment: Sequence[Tensor],
    prefix: Sequence[str],
    category: Sequence[str],
    view: Sequence[GarmentView | None],
    visible: Sequence[float | None],
) -> Iterator[tuple[Garment, Tensor, Tensor]]:
    """Yield every garment with its photo and its image, both (3, H, W) in 0..1.

    Item i of all lists belongs together; a list with one item applies to all garments. If an item has several images,
    they are numbered, and image j shows photo j modulo the number of photos. Raises IGRError if a list has another
    length, and as to_photos and split_prefix do.
    """
    lists = {"person": person, "prefix": prefix, "category": category, "view": view, "visible": visible}
    for label, given in lists.items():
        if len(given) not in (1, len(garment)):
            raise IGRError(
                f"There are {len(garment)} garments, but {label} has {len(given)} items: connect outputs that belong "
                "to the same IGR Photo Folder."
            )
    for item, batch in enumerate(garment):
        images, photos = to_photos(batch), to_photos(_item(person, item))
        folder, name = split_prefix(_item(prefix, item))
        seen, visible_part = _item(view, item), _item(visible, item)
        for number, image in enumerate(images):
            found = Garment(
                folder,
                f"{name} {number + 1}" if len(images) > 1 else name,
                _item(category, item),
                (image.shape[-1], image.shape[-2]),
                visible_part,
                () if seen is None else seen.warnings,
            )
            yield found, photos[number % len(photos)], image


def _item(given: Sequence[T], number: int) -> T:
    return given[number if len(given) > 1 else 0]
