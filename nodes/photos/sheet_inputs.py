"""Match the lists that IGR Contact Sheet receives. Independent of ComfyUI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.photo.view import GarmentView
from ...igr_core.ranges import Range
from ...igr_core.text import counted
from ..images import to_photos
from .sheet_report import Garment, split_prefix

T = TypeVar("T")
SHARE = Range(0, 1)
"""Permitted values of a visible fraction."""


def matched(
    person: Sequence[Tensor],
    garment: Sequence[Tensor],
    prefix: Sequence[str],
    category: Sequence[str],
    view: Sequence[GarmentView | None],
    visible: Sequence[float | None],
) -> Iterator[tuple[Garment, Tensor, Tensor]]:
    """Yield every garment with its photo and its image, both (3, H, W) in 0..1.

    Items with the same index belong together; a list with one item applies to all garments. In an item with several
    images, image j shows photo j modulo the number of photos. Garments with the same prefix are numbered. Raises
    IGRError if a list has any other length, and as to_photos and split_prefix do.
    """
    lists = {"person": person, "prefix": prefix, "category": category, "view": view, "visible": visible}
    for label, given in lists.items():
        if len(given) not in (1, len(garment)):
            raise IGRError(
                f"The {label} input has {counted(len(given), 'item')} for {counted(len(garment), 'garment')}: connect "
                "outputs that belong to the same IGR Photo Folder."
            )
    places = [split_prefix(_item(prefix, item)) for item in range(len(garment))]
    totals, counts = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for place, batch in zip(places, garment, strict=True):
        totals[place] += len(batch)
    for item, batch in enumerate(garment):
        images, photos = to_photos(batch), to_photos(_item(person, item))
        (folder, name), kind, seen = places[item], _item(category, item), _item(view, item)
        for number, image in enumerate(images):
            counts[folder, name] += 1
            if (share := _item(visible, item)) is not None:
                SHARE.check(share, "visible")
            found = Garment(
                folder,
                name if totals[folder, name] == 1 else f"{name} {counts[folder, name]}",
                kind,
                (image.shape[-1], image.shape[-2]),
                share,
                () if seen is None else seen.warnings_about(kind, number % len(seen.person)),
            )
            yield found, photos[number % len(photos)], image


def check_lengths(lists: Mapping[str, Sequence[Any]]) -> None:
    """Raise IGRError if lists with more than one item differ in length."""
    long = [(label, len(given)) for label, given in lists.items() if len(given) > 1]
    for label, count in long[1:]:
        if count != long[0][1]:
            raise IGRError(
                f"{long[0][0]} has {long[0][1]} items, but {label} has {count}: connect outputs that belong to the "
                "same IGR Photo Folder."
            )


def _item(given: Sequence[T], number: int) -> T:
    return given[number if len(given) > 1 else 0]
