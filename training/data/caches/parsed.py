"""A cache of drawn photos with their parsing, for segmenters and parsers to learn: memory-mapped shards that grow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder

from ..synthetic import make_pair
from ..synthetic.compose import check_options
from ..synthetic.scene import draw_scene
from .draw_config import DrawConfig
from .drawn import fingerprint

SHARD = 250
"""Photos per file."""
COARSE = DrawConfig().coarse
"""Smallest repeat of a pattern in every second photo, as a share of the garment's length; the others have all."""


def wears_skirt(seed: int, coarse: float | None = None) -> bool:
    """Whether the lower garment in make_pair's photo is a skirt; False where there is none.

    Without `coarse`, in the photo that draw_parsed draws of the seed.
    """
    scene = draw_scene(seed, coarse=_coarse(seed) if coarse is None else coarse)
    lower = scene.garment if scene.garment.category == "lower" else scene.other
    return lower is not None and "skirt" in lower.cut


def draw_parsed(folder: Path | str, seeds: range, size: tuple[int, int]) -> int:
    """Draw the photos of `seeds`, each with a label for every pixel, into `folder`; whole shards that exist are kept.

    Returns how many were drawn now. Raises IGRError for a size that cannot be drawn, and for a folder drawn at another
    size or by another version of the generator.
    """
    check_options(size)
    make_folder(Path(folder))
    todo = []
    for at in range(0, len(seeds), SHARD):
        some = seeds[at : at + SHARD]
        path = Path(folder) / f"photos-{some[0]:09d}.safetensors"
        if not path.exists() or len(_open_shard(path, size)["seed"]) < len(some):
            todo.append((path, some))
    total = sum(len(some) for _, some in todo)
    with tqdm(total=total, unit="photo", desc=f"drawing into {folder}", mininterval=5, disable=not total) as progress:
        for path, some in todo:
            _draw_shard(path, some, size, progress)
    return total


class ParsedPhotos:
    """Reads a folder of shards; the pictures stay on disk (memory-mapped) until they are asked for."""

    def __init__(self, folder: Path | str, seeds: range | None = None) -> None:
        """Open every shard of `folder`, in the order of seeds; `seeds` leaves out the photos of all others."""
        shards = sorted(Path(folder).glob("photos-*.safetensors"))
        if not shards:
            raise IGRError(
                f"{folder} holds no parsed photos: the trainings of segmenter and parser draw them into `data`."
            )
        self._tensors = [_open_shard(path) for path in shards]
        found = [(int(seed), s, row) for s, one in enumerate(self._tensors) for row, seed in enumerate(one["seed"])]
        found = [place for place in found if seeds is None or place[0] in seeds]
        self.seeds: list[int] = [seed for seed, _, _ in found]
        """Seed of each photo."""
        self._places = [(s, row) for _, s, row in found]

    def __len__(self) -> int:
        return len(self._places)

    def take(self, picks: Iterable[int]) -> tuple[Tensor, Tensor]:
        """Some photos, uint8 (B, 3, h, w), and their labels (numbers of synthetic.canvas.LABELS), uint8 (B, h, w)."""
        places = [self._places[pick] for pick in picks]
        persons = torch.stack([self._tensors[shard]["person"][row] for shard, row in places])
        return persons, torch.stack([self._tensors[shard]["parsing"][row] for shard, row in places])


def _coarse(seed: int) -> float:
    return COARSE if seed % 2 else 0.0


def _draw_shard(path: Path, seeds: range, size: tuple[int, int], progress: tqdm) -> None:
    persons, parsings = [], []
    for seed in seeds:
        pair = make_pair(seed, size, coarse=_coarse(seed))
        persons.append(torch.from_numpy(np.array(pair.person)).permute(2, 0, 1))
        parsings.append(torch.from_numpy(np.array(pair.parsing)))
        progress.update()
    tensors = {"person": torch.stack(persons), "parsing": torch.stack(parsings), "seed": torch.tensor(list(seeds))}
    with atomic_file(path) as temporary:
        save_file(tensors, temporary, metadata={"generator": fingerprint()})


def _open_shard(path: Path, size: tuple[int, int] | None = None) -> dict[str, Tensor]:
    """Memory-mapped tensors of a shard; with a size, raise if this version would draw it otherwise."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in ("person", "parsing", "seed")}
            generator = (file.metadata() or {}).get("generator")
    except SafetensorError as error:
        raise IGRError(f"{path} is not a shard of parsed photos ({error}): delete it and draw again.") from error
    height, width = tensors["parsing"].shape[1:]
    if size is not None and (size != (width, height) or generator != fingerprint()):
        raise IGRError(
            f"{path} was drawn at {width}x{height} by generator {generator}, and {size[0]}x{size[1]} by "
            f"{fingerprint()} is asked for: draw into another folder, or delete this one."
        )
    return tensors
