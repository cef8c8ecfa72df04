"""Find a pair that two sets of prepared pairs share, by its latents; names and rounding do not matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from .shards import Shard

Place = tuple[Shard, int]
"""A pair's shard and its row there."""
_LATENTS = ("garment_latent", "person_latent")
"""The tensors that make a pair: the same garment in another photo, or on another person, is another pair."""
_SAME = 3e-4
"""Squared distance of two latents, relative to their squared norm, up to which they are taken for the same image.

Encoding in bfloat16 changes latents by up to 3e-5; different pairs of a data set differ by more than 1e-2.
"""
_NEAR = 1e-2
"""The same for their middles, whose norm may be smaller."""
_AT_ONCE = 2048
"""Maximum number of pairs on each side that are compared at once."""


def shared_pair(own: Sequence[Place], others: Sequence[Place]) -> tuple[str, str] | None:
    """The names, in both sets, of a pair that is in both; None if there is none.

    The middles of all latents are compared first, so that only the likely pairs are read as a whole.
    """
    middles = [(part, [_middles(part, name) for name in _LATENTS]) for part in _parts(own)]
    for part in _parts(others):
        found = [_middles(part, name) for name in _LATENTS]
        for mine, of_mine in middles:
            if any(mine[0][0].shapes[name] != part[0][0].shapes[name] for name in _LATENTS):
                continue
            near = torch.stack([_distances(a, b) < _NEAR for a, b in zip(of_mine, found, strict=True)]).all(0)
            for first, second in near.nonzero().tolist():
                one, other = mine[first], part[second]
                if all(_is_same(one, other, name) for name in _LATENTS):
                    return one[0].name(one[1]), other[0].name(other[1])
    return None


def _parts(places: Iterable[Place]) -> Iterator[list[Place]]:
    """The pairs of each shard, in parts of at most _AT_ONCE."""
    for _, group in groupby(places, lambda place: id(place[0])):
        pairs = list(group)
        for start in range(0, len(pairs), _AT_ONCE):
            yield pairs[start : start + _AT_ONCE]


def _middles(places: Sequence[Place], name: str) -> Tensor:
    """The middle quarter of the rows of each latent's first channel, (P, N): its border is often plain."""
    shard = places[0][0]
    _, height, width = shard.shapes[name]
    start = height * 3 // 8 * width
    values = range(start, start + max(1, height // 4) * width)
    return shard.rows(name, [row for _, row in places], values).float()


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """Relative squared distances (P, Q) of the rows of two matrices; NaN where a row is not finite."""
    squares = one.square().sum(1)[:, None], other.square().sum(1)[None]
    distances = squares[0] + squares[1] - 2 * one @ other.T
    return distances / torch.maximum(*squares).clamp(min=torch.finfo(torch.float32).tiny)


def _is_same(one: Place, other: Place, name: str) -> bool:
    first, second = (shard.rows(name, [row]).float().flatten() for shard, row in (one, other))
    scale = torch.maximum(first.square().sum(), second.square().sum())
    return bool((first - second).square().sum() <= _SAME * scale)
