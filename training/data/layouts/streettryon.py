"""StreetTryOn as published: 12,364 and 2,089 street photos with parsing maps and no flat garments, non-commercial."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from igr_core.errors import IGRError

from ..contract.pairs import PairEntry
from ..contract.parsing import ATR, read_labels
from ..files.images import Listing, decode, doubts_of, read_bytes, read_lines
from .file_pairs import FilePairs, PairFiles, find_mask, find_mask_folder, found_mask_kind

FOLDERS = {"train": "train", "test": "validation"}
"""Folder of each split."""
MIN_SHARE = 0.01
"""Minimum fraction of the photo that a garment must cover to count as worn."""


class StreetTryOn(FilePairs):
    """One split of StreetTryOn, with an entry for each garment worn in each photo, such as `validation/000001/upper`.

    It has no ground truth: results are compared as a set with VITON-HD's garments. The parsing maps show which
    garments are worn; they are read when the data set is opened.
    """

    layout = "streettryon"
    table = ATR

    def __init__(
        self,
        root: Path | str,
        split: str = "test",
        mask: str = "auto",
        mask_folder: str | None = None,
        categories: Sequence[str] = ("upper", "full"),
    ) -> None:
        """Raises IGRError if the photos, the parsing maps or the masks do not exist."""
        root = Path(root)
        title = f"StreetTryOn {split} in {root}"
        if split not in FOLDERS:
            raise IGRError(f"StreetTryOn has no split {split!r}: choose train or test (its folder validation).")
        kind = found_mask_kind(mask, "garment", mask_folder, title)
        if kind == "agnostic":
            raise IGRError(f"{title} has no published agnostic masks: set mask to garment, or set mask_folder.")
        folder = FOLDERS[split]
        photos, maps = Listing(root / folder / "image"), Listing(root / folder / "segm_atr_labels")
        for listing in (photos, maps):
            if not listing.exists:
                raise IGRError(f"{listing.folder} does not exist: follow StreetTryOn's own steps to create it.")
        masks = Listing(find_mask_folder(root, folder, mask_folder)) if mask_folder else None
        names = _listed(root, folder, photos)
        paths = [maps.path(f"{Path(name).stem}.png") for name in names]
        entries, files = [], []
        for name, path, worn in zip(names, paths, _worn(paths, categories), strict=True):
            stem = Path(name).stem
            for category in worn:
                entries.append(PairEntry(f"{folder}/{stem}/{category}", category))
                mask_file = find_mask(masks, stem) if masks else None
                files.append(PairFiles(photos.path(name), mask=mask_file, parsing=path))
        super().__init__(title, entries, files, kind, unlisted=doubts_of(photos, maps, masks))

    @property
    def has_garments(self) -> bool:
        return False


def _listed(root: Path, folder: str, photos: Listing) -> list[str]:
    """Photos in the published list, or all photos if the list was not copied."""
    path = root / "annotations" / f"{folder}_image_list.txt"
    if not path.is_file():
        return [path.name for path in map(photos.image, photos.stems()) if path is not None]
    return list(dict.fromkeys(line for _, line in read_lines(path)))


def _worn(paths: Sequence[Path], categories: Sequence[str]) -> list[list[str]]:
    """Categories worn in each photo, according to its parsing map.

    A photo with an unreadable map gets the first category, so that the error is raised when its mask is read.
    """
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda path: _worn_in(path, categories), paths))


def _worn_in(path: Path, categories: Sequence[str]) -> list[str]:
    try:
        labels = read_labels(_small(decode(read_bytes(path), str(path))), ATR, str(path))
    except IGRError:
        return list(categories[:1])
    shares = {category: float(np.isin(labels, ATR.garment[category]).mean()) for category in categories}
    return [category for category, share in shares.items() if share >= MIN_SHARE]


def _small(image: Image.Image) -> Image.Image:
    """Every fourth pixel, which is enough to measure areas."""
    return image.resize((max(1, image.width // 4), max(1, image.height // 4)), Image.Resampling.NEAREST)
