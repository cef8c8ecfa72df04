"""DressCode as published: 53,792 pairs with upper, lower and full-body garments, 768 x 1024, academic licence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES

from ..contract.pairs import MaskKind, PairEntry
from ..contract.parsing import ATR
from ..files.images import Listing, doubts_of, read_pair_list
from .file_pairs import FilePairs, PairFiles, checked_points, find_mask, find_mask_folder, found_mask_kind

FOLDERS = {"upper": "upper_body", "lower": "lower_body", "full": "dresses"}
"""Folder of each category, in the order of the category numbers 0, 1 and 2 in the root's pair files."""
PAIR_FILES = {
    "train": ("train_pairs.txt", "train_pairs_paired.txt"),
    "test": ("test_pairs_paired.txt", "test_pairs_unpaired.txt"),
}
"""Pair files of each split. The first one that exists is used; from an unpaired file, only the photos are used."""


class DressCode(FilePairs):
    """One split of DressCode. The test split is paired: photo NNNNNN_0 and garment NNNNNN_1.

    No agnostic masks are published, so masks come from the parsing maps or from the user's files.
    """

    layout = "dresscode"
    table = ATR
    joint_space = (384, 512)

    def __init__(
        self,
        root: Path | str,
        split: str = "train",
        mask: str = "auto",
        mask_folder: str | None = None,
        categories: Sequence[str] = CATEGORIES,
    ) -> None:
        """Raises IGRError if a pair file does not exist, and for agnostic masks."""
        root = Path(root)
        title = f"DressCode {split} in {root}"
        if split not in PAIR_FILES:
            raise IGRError(f"DressCode has no split {split!r}: choose train or test.")
        kind = found_mask_kind(mask, "garment", mask_folder, title)
        if kind == "agnostic":
            raise IGRError(f"{title} has no published agnostic masks: set mask to garment, or set mask_folder.")
        entries, files, doubts = [], [], []
        for category in (name for name in FOLDERS if name in categories):
            pairs = _listed(root, FOLDERS[category], split)
            entries += [PairEntry(f"{split}/{FOLDERS[category]}/{Path(person).stem}", category) for person, _ in pairs]
            found, unclear = _found(root, FOLDERS[category], pairs, kind, mask_folder)
            files += found
            doubts += unclear
        super().__init__(title, entries, files, kind, unlisted=doubts)

    def _read_points(self, content: object, name: str) -> list[tuple[float, float, float]] | None:
        """x, y, score and index of each joint; coordinates of at most 1 mean that the joint was not detected."""
        points = checked_points(content.get("keypoints") if isinstance(content, dict) else None, 4, name)
        return [(x, y, score if x > 1 and y > 1 else 0.0) for x, y, score, _ in points]


def _found(
    root: Path, folder: str, pairs: list[tuple[str, str]], kind: MaskKind, mask_folder: str | None
) -> tuple[list[PairFiles], list[str]]:
    """Return the files of each pair, and a sentence for each ambiguous file name."""
    part = root / folder
    pictures, maps, joints = (Listing(part / name) for name in ("images", "label_maps", "keypoints"))
    if not pictures.exists:
        raise IGRError(f"{pictures.folder} does not exist: unpack DressCode again, or exclude its category.")
    if kind == "garment" and not maps.exists:
        raise IGRError(f"{maps.folder} does not exist: unpack DressCode again, or set mask_folder.")
    masks = Listing(find_mask_folder(root, folder, mask_folder)) if mask_folder else None
    found = []
    for person, garment in pairs:
        stem = Path(person).stem
        number = stem.removesuffix("_0")
        found.append(
            PairFiles(
                person=pictures.path(person),
                garment=pictures.path(garment),
                mask=find_mask(masks, stem) if masks else None,
                parsing=maps.path(f"{number}_4.png") if maps.exists else None,
                keypoints=joints.find(f"{number}_2.json"),
            )
        )
    return found, doubts_of(pictures, maps, joints, masks)


def _listed(root: Path, folder: str, split: str) -> list[tuple[str, str]]:
    """Photo and garment of a category's pairs, from its own pair file, or from the root's, whose third column is the
    category."""
    tried = [place / name for place in (root / folder, root) for name in PAIR_FILES[split]]
    path = next((path for path in tried if path.is_file()), None)
    if path is None:
        raise IGRError(f"{tried[0]} does not exist, nor do {', '.join(map(str, tried[1:]))}: copy one of these files.")
    number = str(list(FOLDERS.values()).index(folder))
    pairs = []
    for words in read_pair_list(path):
        if path.parent == root and len(words) != 3:
            raise IGRError(f"{path} has no third column with the category (0, 1 or 2): use the published file.")
        if path.parent != root or words[2] == number:
            garment = words[1] if "unpaired" not in path.name else _garment_of(words[0])
            pairs.append((words[0], garment))
    return list(dict.fromkeys(pairs))


def _garment_of(person: str) -> str:
    return f"{Path(person).stem.removesuffix('_0')}_1{Path(person).suffix}"
