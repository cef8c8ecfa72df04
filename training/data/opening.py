"""Open a data set: detect its layout and return its pairs through the common interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES
from igr_core.ranges import Count, Ranged
from igr_core.storage import Folder

from .contract.pairs import PairSource, PairSubset
from .contract.seeds import HELD_OUT_START
from .files.tar_names import TARS, compressed_in, is_compressed_tar, is_tar, tars_in
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
"""Maximum number of missing files to name in a message."""


@dataclass(frozen=True)
class DataSetConfig(Ranged):
    """Settings for opening a data set."""

    root: str = ""
    """Folder of the data set; for shards, also a path or URL, optionally with braces: `s3://b/shard-{000000..000009}.tar`."""
    layout: Literal["auto", "viton_hd", "dresscode", "streettryon", "folder", "tars", "rendered", "synthetic"] = "auto"
    """Layout of the folder; auto detects it."""
    split: Literal["train", "test"] = "train"
    """Split; test is always paired: the person wears the pair's garment. Folders and shards without train/
    and test/ are a single set, used for any split. In rendered records, test consists of the held-out seeds."""
    mask: Literal["auto", "agnostic", "garment", "file"] = "auto"
    """Source of the masks; auto is agnostic for VITON-HD (paper), and garment for DressCode and StreetTryOn."""
    mask_folder: str | None = None
    """Folder of masks for `file`, relative to the root or its parts: `NAME.png` or `NAME_mask.png` for photo NAME."""
    categories: tuple[str, ...] = ()
    """Categories to keep: upper, lower, full; () for the data set's default."""
    keep_leaks: bool = False
    """Keep the known duplicates and train / test leaks of VITON-HD."""
    limit: Count | None = None
    """Maximum number of pairs, spread evenly over the data set."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    """Pairs to draw, for the layout synthetic."""
    rendered: RenderedConfig = field(default_factory=RenderedConfig)
    """Settings for dressing records, for the layout rendered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [name for name in self.categories if name not in CATEGORIES]
        if unknown:
            raise IGRError(f"Unknown category {unknown[0]!r} for {self.root}: choose upper, lower or full.")
        if self.layout != "synthetic" and not self.root:
            raise IGRError("The data set has no root: set root to its folder.")


def open_data_set(config: DataSetConfig) -> PairSource:
    """Open a data set and check that all of its files exist, without reading them.

    Raises IGRError for missing files, or for a data set without pairs.
    """
    source = build_source(config)
    missing = [path for row in range(len(source)) for path in source.missing(row)]
    if missing:
        more = f" and {len(missing) - MAX_NAMED} more files" if len(missing) > MAX_NAMED else ""
        raise IGRError(
            f"{', '.join(missing[:MAX_NAMED])}{more} cannot be found in {source.title}: "
            f"run `python -m training data check {config.root}` to list all problems."
        )
    if source.unlisted:
        raise IGRError(source.unlisted[0])
    return source


def build_source(config: DataSetConfig) -> PairSource:
    """Like open_data_set, but files may be missing; reading them raises IGRError."""
    layout = detect_layout(config.root) if config.layout == "auto" else config.layout
    source = _source(config, layout)
    rows = [row for row, entry in enumerate(source.entries) if entry.category in (config.categories or CATEGORIES)]
    if not rows:
        raise IGRError(
            f"{source.title} has no {' or '.join(config.categories or CATEGORIES)} pairs: choose other categories."
        )
    if config.limit is not None and config.limit < len(rows):
        rows = [rows[place * len(rows) // config.limit] for place in range(config.limit)]
    if len(rows) < len(source):
        return PairSubset(source, rows)
    return source


def splits_in(root: str, layout: Layout) -> tuple[Literal["train", "test"], ...]:
    """Splits of a data set on disk; a folder or shards without splits count as train."""
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
        "tars": {"train": (f"train/{TARS}",), "test": (f"test/{TARS}",)},
    }
    found = [split for split, patterns in signs[layout].items() if any(any(path.glob(one)) for one in patterns)]
    return tuple(found) or ("train",)


def detect_layout(root: str) -> Layout:
    """Layout of the data set at a path; raises IGRError naming the layouts tried, or the folder that is probably
    meant."""
    if "://" in root or is_tar(root):
        name = root.rsplit("/", 1)[-1]
        if is_shard_name(name) or ("://" in root and not is_tar(name) and _holds_records(root)):
            return "rendered"
        return "tars"
    path = Path(root)
    if is_compressed_tar(root) and path.is_file():
        raise IGRError(f"{root} is a compressed tar, which cannot be read at random: unpack it to a .tar.")
    if not path.is_dir():
        raise IGRError(f"{root} is not an existing folder: check the path.")
    found = _layout_at(path)
    if found is not None:
        return found
    places = [(place, _layout_at(place)) for place in (path.parent, path.parent.parent, *_folders_in(path))]
    meant = [f"{place} ({LAYOUTS[other].split(' (')[0]})" for place, other in places if other is not None]
    if meant:
        raise IGRError(f"{root} is not itself a data set: specify {' or '.join(meant)}.")
    if compressed := [one for part in ("", "train", "test") for one in compressed_in(path / part)]:
        raise IGRError(compressed[0])
    raise IGRError(f"{root} is not a data set in any of these layouts: {'; '.join(LAYOUTS.values())}.")


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
    if any(is_shard_name(found.name) for found in tars_in(path)):
        return "rendered"
    return "tars" if any(tars_in(path / part) for part in ("", "train", "test")) else None


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
        raise IGRError(f"{config.root or 'The synthetic data set'} has its own masks: omit mask_folder.")
    if layout == "synthetic":
        return SyntheticPairs(config.synthetic, config.mask)
    if layout == "rendered":
        return RenderedPairs(config.root, config.rendered, config.mask, config.split)
    if config.mask not in ("auto", "file"):
        raise IGRError(f"The shards {config.root} have their own masks: set mask to auto or file, not {config.mask}.")
    of_split = Path(config.root) / config.split
    if "://" in config.root or not tars_in(of_split):
        return TarPairs(config.root)
    source = TarPairs(str(of_split))
    beside = [f"{path} is not used: move it into {of_split}, or away." for path in tars_in(of_split.parent)]
    source.unlisted = (*source.unlisted, *beside, *compressed_in(of_split.parent))
    return source
