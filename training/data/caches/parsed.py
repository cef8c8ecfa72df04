"""A growing cache of photos and their parsing maps in memory-mapped shards, for training segmenters and parsers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.segmentation.labels import ATR

from ..files.unchanged import Unchanged
from ..rendered.source import RenderedPairs
from ..synthetic import make_pair
from ..synthetic.compose import check_options
from ..synthetic.painting.canvas import LABELS
from ..synthetic.scene import draw_scene
from .draw_config import DrawConfig
from .drawn import fingerprint
from .dressed import resized
from .snapshot import take_snapshot

SHARD = 250
"""Photos per file."""
COARSE = DrawConfig().coarse
"""Smallest repeat of a pattern in every second photo, as a fraction of the garment's length; the rest have no limit."""


RENDERED = "photos-rendered-"
"""File name prefix of shards of dressed photos."""
WORN_OVER = ("jacket", "cardigan")
"""Name prefixes of cuts that are worn over a top."""
_OF_ATR = {"upper-clothes": "upper", "pants": "lower", "skirt": "lower", "dress": "full"}
"""Maps ATR's labels for clothes to the names in LABELS, where they differ."""
_KNOWN = {*_OF_ATR, *(name.replace("_", "-") for name in LABELS)}


def wears_skirt(seed: int, coarse: float | None = None) -> bool:
    """Whether the lower garment in the photo that make_pair draws is a skirt; False if there is no lower garment.

    By default, `coarse` is the value that draw_parsed uses for the seed.
    """
    scene = draw_scene(seed, coarse=_coarse(seed) if coarse is None else coarse)
    lower = scene.garment if scene.garment.category == "lower" else scene.other
    return lower is not None and "skirt" in lower.cut


def draw_parsed(folder: Path | str, seeds: range, size: tuple[int, int]) -> int:
    """Draw the photos of `seeds`, each with a label for every pixel, into `folder`; complete shards are kept.

    Returns the number of photos drawn. Raises IGRError for an unsupported size, or for a folder drawn at another
    size or by another version of the generator.
    """
    check_options(size)
    make_folder(Path(folder))
    todo = []
    for at in range(0, len(seeds), SHARD):
        some = seeds[at : at + SHARD]
        path = Path(folder) / f"photos-{some[0]:09d}.safetensors"
        if not path.exists() or len(_open_shard(path, size, fingerprint())["seed"]) < len(some):
            todo.append((path, some))
    total = sum(len(some) for _, some in todo)
    with tqdm(total=total, unit="photo", desc=f"drawing into {folder}", mininterval=5, disable=not total) as progress:
        for path, some in todo:
            made = [_advanced(_drawn(seed, size), progress) for seed in some]
            _write_shard(path, made, {"generator": fingerprint()})
    return total


class ParsedPhotos:
    """Reads a folder of shards; images stay on disk (memory-mapped) until they are requested."""

    def __init__(self, folder: Path | str, seeds: range | None = None, rendered: int | None = None) -> None:
        """Open every shard in `folder`; drawn photos come first, ordered by seed.

        `seeds` selects the drawn photos, and `rendered` limits the number of rendered ones.
        """
        shards = sorted(Path(folder).glob("photos-*.safetensors"))
        if not shards:
            raise IGRError(f"{folder} contains no parsed photos: train a segmenter or parser, which draws them.")
        self._unchanged = [Unchanged(path) for path in shards]
        self._tensors = [_open_shard(path) for path in shards]
        drawn, dressed = [], []
        for shard, (path, tensors) in enumerate(zip(shards, self._tensors, strict=True)):
            for row, seed in enumerate(tensors["seed"].tolist()):
                if path.name.startswith(RENDERED):
                    dressed.append((seed, shard, row))
                elif seeds is None or seed in seeds:
                    drawn.append((seed, shard, row))
        found = [*drawn, *dressed[:rendered]]
        self.seeds: list[int] = [seed for seed, _, _ in found]
        """Seed of each photo, or of the record that it was made from."""
        self._places = [(shard, row) for _, shard, row in found]

    def __len__(self) -> int:
        return len(self._places)

    def take(self, picks: Iterable[int]) -> tuple[Tensor, Tensor]:
        """Some photos, uint8 (B, 3, h, w), and their labels (indices into LABELS), uint8 (B, h, w).

        Raises IGRError if a shard has changed.
        """
        places = [self._places[pick] for pick in picks]
        for shard in {shard for shard, _ in places}:
            self._unchanged[shard].check()
        persons = torch.stack([self._tensors[shard]["person"][row] for shard, row in places])
        return persons, torch.stack([self._tensors[shard]["parsing"][row] for shard, row in places])

    def skirts(self) -> Tensor:
        """Whether the `lower` garment of each photo is a skirt, bool (N,)."""
        return torch.tensor([bool(self._tensors[shard]["skirt"][row]) for shard, row in self._places])


def dress_parsed(folder: Path | str, records: str, count: int, size: tuple[int, int]) -> int:
    """Dress the first `count` photos of a folder or URL of records at `size`, each with a label for every pixel.

    Every photo is dressed once, then once more, and so on, until there are enough. Complete shards are kept, and
    records rendered after the folder was started are ignored. Returns the number of photos dressed. Raises
    IGRError for a folder that was made at another size, from other records or by other code.
    """
    make_folder(Path(folder))
    snapshot = take_snapshot(Path(folder), f"{RENDERED}*.safetensors", records)
    generator, described = snapshot.origin()
    todo = []
    for first in range(0, count, SHARD):
        some, path = range(first, min(first + SHARD, count)), Path(folder) / f"{RENDERED}{first:09d}.safetensors"
        if not path.exists() or len(_open_shard(path, size, generator, described)["seed"]) < len(some):
            todo.append((path, some))
    total = sum(len(some) for _, some in todo)
    with tqdm(total=total, unit="photo", desc=f"dressing into {folder}", mininterval=5, disable=not total) as progress:
        for path, some in todo:
            made = [_advanced(parsed_photo(*snapshot.pair(number), size), progress) for number in some]
            _write_shard(path, made, {"generator": generator, "records": described})
    return total


def parsed_photo(pairs: RenderedPairs, index: int, size: tuple[int, int]) -> Parsed:
    """A rendered photo at `size` (width, height), with the labels of drawn photos."""
    pair = pairs.pair(index)
    labels, skirt = drawn_labels(
        np.array(pair.parsing), np.array(pair.garment_mask) > 127, pair.category, pair.attributes
    )
    parsing = resized(Image.fromarray(labels), size, Image.Resampling.NEAREST)
    return Parsed(pairs.places[index].seed, resized(pair.person, size, Image.Resampling.LANCZOS), parsing, skirt)


def drawn_labels(
    parsing: np.ndarray, garment: np.ndarray, category: str, attributes: Mapping[str, Any]
) -> tuple[np.ndarray, bool]:
    """Convert a rendered photo's ATR `parsing` to indices into LABELS, (h, w) uint8, and whether it shows a skirt.

    ATR has one label for a jacket and the top beneath it. If the garment, whose pixels are `garment` (h, w), is worn
    over a top or under a jacket, the outer of the two becomes a coat.
    """
    words = [LABELS.index(_OF_ATR.get(name, name.replace("-", "_"))) if name in _KNOWN else 0 for name in ATR.labels]
    labels = np.array(words, np.uint8)[parsing]
    if attributes.get("under_jacket") == "yes":
        labels[labels == LABELS.index("upper")] = LABELS.index("coat")
    over = category == "upper" and str(attributes["cut"]).startswith(WORN_OVER)
    labels[garment] = LABELS.index("coat" if over else category)
    return labels, bool((parsing == ATR.labels.index("skirt")).any())


@dataclass(frozen=True)
class Parsed:
    """One photo with its labels."""

    seed: int
    """Seed of the drawn photo, or of the record that the photo was made from."""
    person: Image.Image
    """The photo, RGB."""
    parsing: Image.Image
    """Indices into LABELS, L."""
    skirt: bool
    """Whether the photo's `lower` garment is a skirt."""


def _coarse(seed: int) -> float:
    return COARSE if seed % 2 else 0.0


def _drawn(seed: int, size: tuple[int, int]) -> Parsed:
    pair = make_pair(seed, size, coarse=_coarse(seed))
    return Parsed(seed, pair.person, pair.parsing, wears_skirt(seed))


def _advanced(made: Parsed, progress: tqdm) -> Parsed:
    progress.update()
    return made


def _write_shard(path: Path, made: Sequence[Parsed], metadata: dict[str, str]) -> None:
    tensors = {
        "person": torch.stack([torch.from_numpy(np.array(one.person)).permute(2, 0, 1) for one in made]),
        "parsing": torch.stack([torch.from_numpy(np.array(one.parsing)) for one in made]),
        "skirt": torch.tensor([one.skirt for one in made]),
        "seed": torch.tensor([one.seed for one in made]),
    }
    with atomic_file(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def _open_shard(
    path: Path, size: tuple[int, int] | None = None, generator: str = "", records: str = ""
) -> dict[str, Tensor]:
    """Memory-mapped tensors of a shard; given a size, raises IGRError if this version would draw other photos."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in ("person", "parsing", "skirt", "seed")}
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise IGRError(f"{path} is not a shard of parsed photos ({error}): delete it and draw again.") from error
    height, width = tensors["parsing"].shape[1:]
    found = metadata.get("generator")
    if size is not None and (size != (width, height) or found != generator):
        raise IGRError(
            f"{path} was drawn at {width}x{height} by generator {found}, but this run needs {size[0]}x{size[1]} by "
            f"{generator}: draw into another folder, or empty this one."
        )
    if size is not None and metadata.get("records", "") != records:
        raise IGRError(f"{path} was made from other records or by other code: draw into another folder.")
    return tensors
