"""VITON-HD as published: 11,647 and 2,032 pairs of women's upper garments, 768 x 1024, CC BY-NC 4.0."""

from __future__ import annotations

from pathlib import Path

from igr_core.errors import IGRError

from ..contract.pairs import PairEntry
from ..contract.parsing import LIP
from ..files.images import Listing, doubts_of, read_pair_list
from .file_pairs import FilePairs, PairFiles, checked_points, find_mask, find_mask_folder, found_mask_kind
from .leaks import VITON_HD_LEFT_OUT

SPLITS = ("train", "test")
"""Folders of the two splits."""
PARSING_FOLDERS = ("image-parse-v3", "image-parse")
"""Folders of the parsing maps in the newer and in the older release."""


class VitonHD(FilePairs):
    """One split of VITON-HD.

    A pair has the same name in `image/` and `cloth/`. The published `test_pairs.txt` combines photos with other
    garments, for try-on; only its first column is used, because scoring garment restoration needs paired images.
    """

    layout = "viton_hd"
    table = LIP

    def __init__(
        self,
        root: Path | str,
        split: str = "train",
        mask: str = "auto",
        mask_folder: str | None = None,
        keep_leaks: bool = False,
    ) -> None:
        """With `mask` auto, the published agnostic masks are used; `keep_leaks` keeps known duplicates and leaks.

        Raises IGRError if the pair file or the folder of masks does not exist.
        """
        root = Path(root)
        title = f"VITON-HD {split} in {root}"
        if split not in SPLITS:
            raise IGRError(f"VITON-HD has no split {split!r}: choose train or test.")
        kind = found_mask_kind(mask, "agnostic", mask_folder, title)
        names, left_out = _listed(root, split, keep_leaks)
        part = root / split
        persons, garments, covers = (Listing(part / name) for name in ("image", "cloth", "cloth-mask"))
        parsing = _first(part, *PARSING_FOLDERS)
        joints = _first(part, "openpose_json", "openpose-json")
        masks = None
        if kind != "garment":
            masks = Listing(find_mask_folder(root, split, mask_folder) if mask_folder else part / "agnostic-mask")
        _check_folders(part, masks, parsing if kind == "garment" else None)
        files = [
            PairFiles(
                person=persons.path(name),
                garment=garments.path(name),
                mask=find_mask(masks, stem, "_mask.png") if masks else None,
                parsing=parsing.path(f"{stem}.png") if parsing.exists else None,
                keypoints=joints.find(f"{stem}_keypoints.json"),
                cover=covers.find(name),
            )
            for name, stem in ((name, Path(name).stem) for name in names)
        ]
        entries = [PairEntry(f"{split}/{Path(name).stem}", "upper") for name in names]
        doubts = doubts_of(persons, garments, masks, parsing, joints, covers)
        super().__init__(title, entries, files, kind, left_out, doubts)

    def _read_points(self, content: object, name: str) -> list[tuple[float, float, float]] | None:
        """The person that OpenPose detected with the highest confidence."""
        people = content.get("people") if isinstance(content, dict) else None
        if not isinstance(people, list) or not all(isinstance(one, dict) for one in people):
            raise IGRError(f"{name} is not an OpenPose file (it has no list `people`): copy the file again.")
        points = [checked_points(one.get("pose_keypoints_2d"), 3, name) for one in people]
        if not points:
            return None
        best = max(points, key=lambda rows: sum(row[2] for row in rows))
        return [(x, y, confidence) for x, y, confidence in best]


def _listed(root: Path, split: str, keep_leaks: bool) -> tuple[list[str], list[str]]:
    """Photos in the pair file, without repetitions, and the names that were skipped."""
    pairs = read_pair_list(root / f"{split}_pairs.txt")
    names = list(dict.fromkeys(pair[0] for pair in pairs))
    if keep_leaks:
        return names, []
    known = VITON_HD_LEFT_OUT[split]
    left_out = [f"{split}/{Path(name).stem}" for name in names if Path(name).stem in known]
    return [name for name in names if Path(name).stem not in known], left_out


def _first(part: Path, *names: str) -> Listing:
    """Listing of the first folder in `names` that exists, or of `names[0]` if none does."""
    listings = [Listing(part / name) for name in names]
    return next((listing for listing in listings if listing.exists), listings[0])


def _check_folders(part: Path, masks: Listing | None, parsing: Listing | None) -> None:
    for name in ("image", "cloth"):
        if not (part / name).is_dir():
            raise IGRError(f"{part / name} does not exist: unpack VITON-HD so that it contains image/ and cloth/.")
    if masks is not None and not masks.exists:
        raise IGRError(f"{masks.folder} does not exist: set mask to garment (from image-parse-v3), or set mask_folder.")
    if parsing is not None and not parsing.exists:
        raise IGRError(f"{parsing.folder} does not exist: set mask to agnostic, or set mask_folder.")
