"""Check that a texture metric ranks like people: a correct but blurred answer must beat a sharp but wrong one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.json_text import parse_json
from igr_core.model.config import from_json, to_json

from ...base.files import write_text
from ...base.provenance import revision
from ...data.synthetic import Pair, make_pair
from ..metrics.paired import PairedScorer
from ..metrics.protocols import protocol_named
from ..metrics.registry import METRICS
from ..metrics.weights import WeightsFolder
from ..result import library_versions
from ..tables.markdown import markdown

PROTOCOL = "native"
"""Protocol for the metrics."""
RANKED = ("texture_agreement", "ssim")
"""Metrics to check."""
PLAIN = ("solid", "gradient", "blocks")
"""Patterns without a texture; garments with them are only used if they have a print."""
BLUR = 1 / 64
"""Standard deviation of the blur, as a fraction of the width."""
SIZE = (192, 256)
"""Width and height of the drawn garments."""


def shifted(pixels: int) -> Callable[[Image.Image], Image.Image]:
    """A function that moves an image by this many pixels to the right and down."""
    return lambda picture: ImageChops.offset(picture, pixels, pixels)


def turned(degrees: float) -> Callable[[Image.Image], Image.Image]:
    """A function that rotates an image about its centre."""
    return lambda picture: picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")


def enlarged(scale: float) -> Callable[[Image.Image], Image.Image]:
    """A function that enlarges an image's content about the centre."""

    def move(picture: Image.Image) -> Image.Image:
        x, y = (side * (1 - 1 / scale) / 2 for side in picture.size)
        inside = (1 / scale, 0, x, 0, 1 / scale, y)
        return picture.transform(picture.size, Image.Transform.AFFINE, inside, Image.Resampling.BICUBIC)

    return move


CASES = {
    "0 pixels": shifted(0),
    "2 pixels": shifted(2),
    "4 pixels": shifted(4),
    "2% in size": enlarged(1.02),
    "2° turned": turned(2),
}
"""Offsets of the right answers from the ground truth, because no restored garment matches the ground truth exactly.
Texture agreement tolerates 2 pixels (garment.TOLERANCE); other cases show what happens beyond that.
"""


@dataclass(frozen=True)
class Ranking:
    """Fraction of garments for which a metric ranks three answers as people do."""

    metric: str
    """Name of the metric."""
    case: str
    """Name in CASES: the offset of both right answers from the ground truth."""
    count: int
    """Number of garments."""
    right: float
    """Fraction of the garments (0..1) for which (right, sharp) scores higher than (right, blurred), and this higher
    than (wrong, sharp)."""
    scores: tuple[float, float, float]
    """Mean scores of the three answers, in this order."""


@dataclass(frozen=True)
class Validity:
    """All rankings of a check, and what they depend on."""

    start: int
    """First seed of the garments."""
    revision: str
    """Commit of the code that ran the check."""
    libraries: dict[str, str]
    """Versions of libraries."""
    rankings: tuple[Ranking, ...]
    """Rankings by metric and case."""


def rankings(start: int, count: int, coarse: float = 0.0) -> Validity:
    """Rank three answers for each of `count` drawn garments with a texture, by texture agreement and by SSIM.

    Seeds start at `start`. The wrong answer is the true silhouette, filled with the cloth of the next garment.
    """
    scorer = PairedScorer(protocol_named(PROTOCOL), RANKED, WeightsFolder(None))
    pairs = list(_textured(start, count, coarse))
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for number, pair in enumerate(tqdm(pairs, desc="ranking", unit="garment")):
        wrong = filled(pair, pairs[(number + 1) % len(pairs)])
        truth, inside = _unit(pair.garment), _unit(pair.garment_silhouette)
        for case, move in CASES.items():
            moved = move(pair.garment)
            soft = moved.filter(ImageFilter.GaussianBlur(BLUR * moved.width))
            scores = [scorer.score(_unit(one), truth, inside) for one in (moved, soft, wrong)]
            for name in RANKED:
                found.setdefault((name, case), []).append(tuple(one[name] for one in scores))
    ranked = tuple(_ranking(name, case, np.array(scores)) for (name, case), scores in found.items())
    return Validity(start, revision(), library_versions(), ranked)


def write_validity(path: Path, found: Validity) -> None:
    """Write a check as JSON, atomically."""
    make_folder(path.parent)
    write_text(path, json.dumps(to_json(found), indent=1) + "\n")


def read_validity(path: Path) -> Validity:
    """Read the rankings of a check; raises IGRError if the file does not contain them."""
    try:
        data = parse_json(path.read_bytes(), "the file", "create it again")
    except (OSError, ValueError) as error:
        raise IGRError(
            f"{path} contains no rankings: create it with `python -m training evaluate validate`."
        ) from error
    return from_json(Validity, data, str(path))


def validity_table(found: Validity) -> str:
    """The rankings as a Markdown table."""
    lines = [
        [
            METRICS[one.metric].name(PROTOCOL, True),
            one.case,
            f"{one.right:.1%}",
            *(f"{score:.3f}" for score in one.scores),
        ]
        for one in found.rankings
    ]
    titles = ["metric", "offset from truth", "right order", "right", "right, blurred", "sharp, wrong"]
    count = found.rankings[0].count
    return markdown(titles, lines) + (
        f"\n{count} drawn garments with a pattern or a print, starting at seed {found.start}; ranked at "
        f"commit `{found.revision[:12]}`.\n"
    )


def filled(pair: Pair, other: Pair) -> Image.Image:
    """A garment's silhouette, filled with another garment's cloth, which is repeated by mirroring from the chest."""
    cloth = np.asarray(other.garment)
    height, width = cloth.shape[:2]
    patch = cloth[height // 4 : height // 2, 3 * width // 8 : 5 * width // 8]
    spread = np.pad(patch, [(0, height - patch.shape[0]), (0, width - patch.shape[1]), (0, 0)], mode="reflect")
    white = Image.new("RGB", (width, height), "white")
    return Image.composite(Image.fromarray(spread), white, pair.garment_silhouette)


def _textured(start: int, count: int, coarse: float) -> Iterator[Pair]:
    seed = start
    while count:
        pair = make_pair(seed, SIZE, coarse=coarse)
        seed += 1
        if pair.attributes["pattern"] not in PLAIN or pair.attributes["print"] != "none":
            count -= 1
            yield pair


def _ranking(name: str, case: str, scores: np.ndarray) -> Ranking:
    ordered = (scores[:, 0] > scores[:, 1]) & (scores[:, 1] > scores[:, 2])
    means = scores.mean(axis=0)
    return Ranking(name, case, len(scores), float(ordered.mean()), (float(means[0]), float(means[1]), float(means[2])))


def _unit(picture: Image.Image) -> Tensor:
    """An image as (C, H, W) in 0..1."""
    array = torch.from_numpy(np.array(picture)).float() / 255
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)
