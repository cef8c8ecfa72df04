"""A plain folder of your own pairs: person/, garment/, mask/ and category.csv, with the same names in all of them."""

from __future__ import annotations

from pathlib import Path

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES
from igr_core.photo.image_files import IMAGE_SUFFIXES
from igr_core.text import counted

from ..contract.pairs import PairEntry
from ..files.images import Listing, doubts_of, read_table
from .file_pairs import FilePairs, PairFiles, find_mask, find_mask_folder

MOST_LINES = 10
"""Maximum number of wrong lines to list."""


class PlainFolder(FilePairs):
    """`person/NAME.jpg`, `garment/NAME.jpg`, `mask/NAME.png` (or NAME_mask.png), and lines NAME,CATEGORY.

    Without a `garment` folder, the pairs can be used to restore garments, but not for training. A folder with `train/`
    and `test/` has these splits; any other folder is a single set, which is used for every split.
    """

    layout = "folder"

    def __init__(
        self, root: Path | str, split: str = "train", mask: str = "auto", mask_folder: str | None = None
    ) -> None:
        """Raises IGRError if a folder or category.csv does not exist, and for an unknown category."""
        base = Path(root)
        part = base / split if (base / split / "person").is_dir() else base
        title = f"the folder {part}"
        if mask not in ("auto", "file"):
            raise IGRError(f"{title} only has mask files: set mask to auto or file, not {mask}.")
        persons, garments = Listing(part / "person"), Listing(part / "garment")
        masks = Listing(find_mask_folder(base, split, mask_folder) if mask_folder else part / "mask")
        for listing in (persons, masks):
            if not listing.exists:
                raise IGRError(
                    f"{listing.folder} does not exist: a folder of pairs has person/, garment/, mask/ and category.csv."
                )
        categories = _categories(part / "category.csv")
        entries, files = [], []
        for stem, (name, category) in categories.items():
            entries.append(PairEntry(stem, category))
            files.append(
                PairFiles(
                    person=persons.path(name) if name != stem else _image(persons, stem),
                    garment=_image(garments, stem) if garments.exists else None,
                    mask=find_mask(masks, stem, photos=categories),
                )
            )
        listed = {files_of.person.name for files_of in files}
        unlisted = [
            f"{persons.folder / name} is not listed in {part / 'category.csv'}."
            for name in persons.pictures()
            if name not in listed
        ]
        unlisted = [*doubts_of(persons, garments, masks), *unlisted]
        super().__init__(title, entries, files, "file", unlisted=unlisted)


def _image(images: Listing, stem: str) -> Path:
    return images.image(stem) or images.folder / f"{stem}.jpg"


def _categories(path: Path) -> dict[str, tuple[str, str]]:
    """Listed name and category by stem; a first line NAME,category is treated as a header."""
    found: dict[str, tuple[str, str]] = {}
    wrong: list[tuple[int, str]] = []
    for place, (number, row) in enumerate(read_table(path)):
        if len(row) < 2 or row[1] not in CATEGORIES:
            if place or len(row) < 2 or row[1].casefold() != "category":
                wrong.append((number, ",".join(row)))
            continue
        name = Path(row[0]).name
        stem = Path(name).stem if Path(name).suffix.casefold() in IMAGE_SUFFIXES else name
        if stem in found and not wrong:
            raise IGRError(f"{path}, line {number} lists {row[0]} a second time: remove one of the lines.")
        found[stem] = (name, row[1])
    if wrong:
        (number, line), *others = wrong
        raise IGRError(
            f"{path}, line {number}: write NAME,CATEGORY with upper, lower or full, not {line!r}"
            + (f"; also correct {_lines([number for number, _ in others])}." if others else ".")
        )
    return found


def _lines(numbers: list[int]) -> str:
    """`line 4`, or `lines 4, 6, 9 and 12 others`."""
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    shown, rest = numbers[:MOST_LINES], len(numbers) - MOST_LINES
    if rest > 0:
        return f"lines {', '.join(map(str, shown))} and {counted(rest, 'other')}"
    return f"lines {', '.join(map(str, shown[:-1]))} and {shown[-1]}"
