"""Opening a data set: which layout lies in a folder, and its pairs behind the one interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES

from .contract.pairs import PairSource, PairSubset
from .contract.seeds import HELD_OUT_START
from .files.storage import Folder
from .layouts.dresscode import FOLDERS as DRESSCODE_FOLDERS
from .layouts.dresscode import DressCode
from .layouts.folder import PlainFolder
from .layouts.names import LAYOUTS, Layout
from .layouts.streettryon import StreetTryOn
from .layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from .layouts.tars import TarPairs
from .layouts.viton_hd import VitonHD
from .rendered.records.shards import RecordShards, is_shard_name
from .rendered.source import RenderedConfig, RenderedPairs

MAX_NAMED = 3
"""So many missing files are named in one sentence."""


@dataclass(frozen=True)
class DataSetConfig:
    """Which data set to open, and how."""

    root: str = ""
    """Its folder; of shards a folder, a path or a URL, which may have braces: `s3://bucket/shard-{000000..000009}.tar`."""
    layout: Literal["auto", "viton_hd", "dresscode", "streettryon", "folder", "tars", "rendered", "synthetic"] = "auto"
    """How the folder is laid out; auto finds it out."""
    split: Literal["train", "test"] = "train"
    """Which part. test is always the paired one: the garment that the person wears. Folders and shards without train/
    and test/ are one set, whichever is asked for; of rendered records, test is the held-out seeds."""
    mask: Literal["auto", "agnostic", "garment", "file"] = "auto"
    """Where masks come from; auto is agnostic for VITON-HD (paper), garment for DressCode and StreetTryOn."""
    mask_folder: str | None = None
    """Folder of masks for `file`, from the root or its parts: `NAME.png` or `NAME_mask.png` for photo NAME."""
    categories: tuple[str, ...] = ()
    """upper, lower, full: which of them to keep; () for all that the data set is asked for by default."""
    keep_leaks: bool = False
    """Keep the known duplicates and train / test leaks of VITON-HD."""
    limit: int | None = None
    """At most so many pairs, spread evenly over the set."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    """Which pairs are drawn, for the layout synthetic."""
    rendered: RenderedConfig = field(default_factory=RenderedConfig)
    """How records are dressed, for the layout rendered."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.categories if name not in CATEGORIES]
        if unknown:
            raise IGRError(f"Unknown category {unknown[0]!r} of {self.root}: choose upper, lower or full.")
        if self.limit is not None and self.limit < 1:
            raise IGRError(f"limit is {self.limit} for {self.root}: give 1 or more, or leave it out.")
        if self.layout != "synthetic" and not self.root:
            raise IGRError("A data set needs its root: the folder that it lies in.")


def open_data_set(config: DataSetConfig) -> PairSource:
    """The data set, with every file that it needs found to be there (not yet read).

    Raises IGRError naming what is missing, and for a data set without a pair.
    """
    source = build_source(config)
    missing = [path for row in range(len(source)) for path in source.missing(row)]
    if missing:
        more = f" and {len(missing) - MAX_NAMED} more files" if len(missing) > MAX_NAMED else ""
        raise IGRError(
            f"{source.title} is not whole, as {', '.join(missing[:MAX_NAMED])}{more} cannot be found: "
            f"`python -m training data check {config.root}` lists all that is wrong."
        )
    if source.unlisted:
        raise IGRError(source.unlisted[0])
    return source


def build_source(config: DataSetConfig) -> PairSource:
    """As open_data_set, but files may be missing; reading them raises."""
    layout = detect_layout(config.root) if config.layout == "auto" else config.layout
    source = _source(config, layout)
    rows = [row for row, entry in enumerate(source.entries) if entry.category in (config.categories or CATEGORIES)]
    if not rows:
        raise IGRError(f"{source.title} has no pairs of {' or '.join(config.categories or CATEGORIES)}.")
    if config.limit is not None and config.limit < len(rows):
        rows = [rows[place * len(rows) // config.limit] for place in range(config.limit)]
    if len(rows) < len(source):
        return PairSubset(source, rows)
    return source


def splits_in(root: str, layout: Layout) -> tuple[Literal["train", "test"], ...]:
    """Splits that a data set has on disk; a folder or shards that are one set count as train."""
    if layout == "rendered":
        held_out = [seed >= HELD_OUT_START for seed in RecordShards(root).seeds]
        return tuple(split for split, found in (("train", not all(held_out)), ("test", any(held_out))) if found)
    if "://" in root:
        return ("train",)
    path = Path(root)
    signs: dict[str, dict[Literal["train", "test"], tuple[str, ...]]] = {
        "viton_hd": {"train": ("train",), "test": ("test",)},
        "dresscode": {
            "train": ("train_pairs*.txt", "*/train_pairs.txt"),
            "test": ("test_pairs_*.txt", "*/test_pairs_*.txt"),
        },
        "streettryon": {"train": ("train/image",), "test": ("validation/image",)},
        "folder": {"train": ("train/person",), "test": ("test/person",)},
        "tars": {"train": ("train/*.tar",), "test": ("test/*.tar",)},
    }
    found = [split for split, patterns in signs[layout].items() if any(any(path.glob(one)) for one in patterns)]
    return tuple(found) or ("train",)


def detect_layout(root: str) -> Layout:
    """Which layout lies at a path; IGRError says what was looked for, or which folder is meant."""
    if "://" in root or root.endswith(".tar"):
        name = root.rsplit("/", 1)[-1]
        if is_shard_name(name) or ("://" in root and not name.endswith(".tar") and _holds_records(root)):
            return "rendered"
        return "tars"
    path = Path(root)
    if not path.is_dir():
        raise IGRError(f"{root} is not a folder that is there: check the path.")
    found = _layout_at(path)
    if found is not None:
        return found
    places = [(place, _layout_at(place)) for place in (path.parent, path.parent.parent, *_folders_in(path))]
    meant = [f"{place} ({LAYOUTS[other].split(' (')[0]})" for place, other in places if other is not None]
    if meant:
        raise IGRError(f"{root} is not the folder of a data set itself: give {' or '.join(meant)}.")
    raise IGRError(f"{root} is no data set that is known: it was looked through for {'; '.join(LAYOUTS.values())}.")


def _layout_at(path: Path) -> Layout | None:
    def has(*folders: str) -> bool:
        return all((path / folder).is_dir() for folder in folders)

    if any(has(f"{folder}/images") for folder in DRESSCODE_FOLDERS.values()):
        return "dresscode"
    if any(has(f"{split}/image", f"{split}/segm_atr_labels") for split in ("train", "validation")):
        return "streettryon"
    if any(has(f"{split}/image", f"{split}/cloth") for split in ("train", "test")):
        return "viton_hd"
    if any(has(f"{part}person") for part in ("", "train/", "test/")):
        return "folder"
    if any(is_shard_name(found.name) for found in path.glob("*.tar")):
        return "rendered"
    return "tars" if any(any((path / part).glob("*.tar")) for part in ("", "train", "test")) else None


def _holds_records(url: str) -> bool:
    return "{" not in url and any(map(is_shard_name, Folder(url).names()))


def _folders_in(path: Path) -> Sequence[Path]:
    return sorted(folder for folder in path.iterdir() if folder.is_dir())


def _source(config: DataSetConfig, layout: Layout) -> PairSource:
    masks = (config.mask, config.mask_folder)
    if layout == "viton_hd":
        return VitonHD(config.root, config.split, *masks, keep_leaks=config.keep_leaks)
    if layout == "dresscode":
        return DressCode(config.root, config.split, *masks, categories=config.categories or CATEGORIES)
    if layout == "streettryon":
        return StreetTryOn(config.root, config.split, *masks, categories=config.categories or ("upper", "full"))
    if layout == "folder":
        return PlainFolder(config.root, config.split, *masks)
    if config.mask_folder is not None:
        raise IGRError(f"{config.root or 'The synthetic data set'} brings its own masks: leave mask_folder out.")
    if layout == "synthetic":
        return SyntheticPairs(config.synthetic, config.mask)
    if layout == "rendered":
        return RenderedPairs(config.root, config.rendered, config.mask, config.split)
    if config.mask not in ("auto", "file"):
        raise IGRError(f"The shards {config.root} bring their own masks: choose mask auto or file, not {config.mask}.")
    of_split = Path(config.root) / config.split
    return TarPairs(str(of_split) if "://" not in config.root and any(of_split.glob("*.tar")) else config.root)
