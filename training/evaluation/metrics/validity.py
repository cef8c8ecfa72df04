"""Does a texture metric feel what people complain of? Right but blurred has to beat sharp but wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter
from torch import Tensor
from tqdm import tqdm

from training.data.synthetic import Pair, make_pair
from training.evaluation.metrics.garment import ssim, texture_agreement

PLAIN = ("solid", "gradient", "blocks")
"""Patterns without a texture that could be wrong, unless something is printed on them."""
BLUR = 1 / 64
"""Standard deviation of the blur, as a share of the width."""
SIZE = (192, 256)
"""Width and height that garments are drawn at."""


def shifted(pixels: int) -> Callable[[Image.Image], Image.Image]:
    """Moves a picture right and down."""
    return lambda picture: ImageChops.offset(picture, pixels, pixels)


def turned(degrees: float) -> Callable[[Image.Image], Image.Image]:
    """Turns a picture about its middle."""
    return lambda picture: picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")


def enlarged(scale: float) -> Callable[[Image.Image], Image.Image]:
    """Enlarges what a picture shows about its middle."""

    def move(picture: Image.Image) -> Image.Image:
        x, y = (side * (1 - 1 / scale) / 2 for side in picture.size)
        inside = (1 / scale, 0, x, 0, 1 / scale, y)
        return picture.transform(picture.size, Image.Transform.AFFINE, inside, Image.Resampling.BICUBIC)

    return move


CASES = {
    "0 pixels": shifted(0),
    "2 pixels": shifted(2),
    "4 pixels": shifted(4),
    "2 % in size": enlarged(1.02),
    "2° turned": turned(2),
}
"""How the right answers lie off the truth, for what is restored is never on it to the pixel. Texture agreement forgives
2 pixels (garment.TOLERANCE); the others tell what is beyond that."""


@dataclass(frozen=True)
class Ranking:
    """How often a metric puts three answers into the order that people would."""

    metric: str
    """Its name."""
    case: str
    """Name of CASES: how both right answers lie off the truth."""
    count: int
    """Garments."""
    right: float
    """Share of them for which right and sharp > right and blurred > sharp and wrong (0..1)."""
    scores: tuple[float, float, float]
    """Mean score of the three answers."""


def rankings(start: int, count: int, coarse: float = 0.0) -> list[Ranking]:
    """Rank `count` drawn garments with a texture, from seed `start` on, by texture agreement and by SSIM.

    The wrong answer has the truth's silhouette, filled with the cloth of the next garment.
    """
    pairs = list(_textured(start, count, coarse))
    found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for number, pair in enumerate(tqdm(pairs, desc="ranking", unit="garment")):
        wrong = filled(pair, pairs[(number + 1) % len(pairs)])
        for case, move in CASES.items():
            moved = move(pair.garment)
            soft = moved.filter(ImageFilter.GaussianBlur(BLUR * moved.width))
            answers = torch.stack([_unit(one) for one in (moved, soft, wrong)])
            truth = _unit(pair.garment).expand_as(answers)
            inside = _unit(pair.garment_silhouette).expand(3, 1, -1, -1)
            for name, values in (
                ("texture_agreement", texture_agreement(answers, truth, inside)),
                ("ssim", ssim(answers, truth)),
            ):
                found.setdefault((name, case), []).append(tuple(values.tolist()))
    return [_ranking(name, case, np.array(scores)) for (name, case), scores in found.items()]


def table(found: list[Ranking]) -> str:
    """The rankings as a Markdown table."""
    head = "| metric | off the truth by | right order | right | right, blurred | sharp, wrong |\n"
    rule = "| --- | ---: | ---: | ---: | ---: | ---: |\n"
    body = "".join(
        f"| {one.metric.replace('_', ' ')} | {one.case} | {one.right:.1%} | "
        + " | ".join(f"{score:.3f}" for score in one.scores)
        + " |\n"
        for one in found
    )
    return head + rule + body + f"\n{found[0].count} drawn garments with a pattern or a print.\n"


def filled(pair: Pair, other: Pair) -> Image.Image:
    """The silhouette of a pair's garment filled with the cloth of another's, reflected from the middle of its chest."""
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
    array = torch.from_numpy(np.array(picture)).float() / 255
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)
