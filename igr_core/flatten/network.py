"""The network that lays a worn garment out flat: for each point of the flat garment, its place in the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import IGRError
from ..model.config import CATEGORIES
from ..ranges import Range, Ranged
from .outlines import Outlines

Width = Annotated[int, Range(8, 1024)]
"""Number of channels."""
CELL = 4
"""Side in pixels of a cell of the map, in the view."""
_DEEPEST = 16
"""Side in pixels of a token."""
_GROUPS = 8
"""Groups of channels that are normalised together."""
_BLOCKS = (0, 1, 1, 1)
"""Residual blocks at each size."""


@dataclass(frozen=True)
class FlattenerConfig(Ranged):
    """Sizes of the network."""

    size: tuple[Annotated[int, Range(16, 2048)], Annotated[int, Range(16, 2048)]] = (192, 256)
    """Width and height of the photo's view and of the flat garment; multiples of 16."""
    widths: tuple[Width, Width, Width, Width] = (24, 48, 96, 128)
    """Channels at a half, a quarter, an eighth and a sixteenth of the size; multiples of 8."""
    layers: Annotated[int, Range(1, 64)] = 4
    """Transformer layers at a sixteenth of the size."""
    heads: Annotated[int, Range(1, 64)] = 4
    """Attention heads of each layer; a divisor of the last width."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(side % _DEEPEST for side in self.size):
            raise IGRError(f"size is {self.size[0]}x{self.size[1]}: use multiples of {_DEEPEST}.")
        if any(width % _GROUPS for width in self.widths) or self.widths[-1] % self.heads:
            raise IGRError(
                f"widths are {self.widths} with {self.heads} heads: use multiples of {_GROUPS}, and a last width that "
                "the number of heads divides."
            )


class Flattened(NamedTuple):
    """Predictions for B photos; h and w are the view's height and width divided by CELL."""

    place: Tensor
    """(B, 2, h, w): x and y in the photo's view as fractions of its size; may lie outside 0..1."""
    spread: Tensor
    """(B, 1, h, w): expected distance from the true place, as a fraction of the view's height."""
    visible: Tensor
    """(B, 1, h, w): logit of the probability that the photo shows the point."""
    opacity: Tensor
    """(B, 1, H, W): logit of the garment's opacity, at the view's size."""
    light: Tensor
    """(B, 1, h, w): logarithm of the factor by which even light would brighten the photo's pixels."""
    coarse: tuple[Tensor, ...]
    """Places at coarser resolutions, coarsest first."""


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.norms = nn.ModuleList([nn.GroupNorm(_GROUPS, width), nn.GroupNorm(_GROUPS, width)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        y = self.first(F.silu(self.norms[0](x)))
        return x + self.second(F.silu(self.norms[1](y)))


class Pyramid(nn.Module):
    """Features of a photo at a half, a quarter, an eighth and a sixteenth of its size."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = [6, *widths]
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in zip(sizes, sizes[1:], strict=False)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(count))) for width, count in zip(widths, _BLOCKS, strict=True)
        )

    def forward(self, photo: Tensor) -> list[Tensor]:
        """`photo` (B, 4, H, W): RGB and mask in 0..1."""
        x = torch.cat([photo * 2 - 1, coordinates(photo)], 1)
        found = []
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(down(x))
            found.append(x)
        return found


class Layer(nn.Module):
    """Self-attention of garment and photo, and attention from the garment to the photo."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(6))
        self.own, self.own_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.photo, self.photo_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.query, self.keys, self.cross_out = (nn.Linear(width, n * width) for n in (1, 2, 1))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.photo_mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, garment: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C) of garment and photo to the same shapes."""
        photo = photo + self.photo_out(self._attend(*self.photo(self.norms[0](photo)).chunk(3, -1)))
        photo = photo + self.photo_mlp(self.norms[1](photo))
        garment = garment + self.own_out(self._attend(*self.own(self.norms[2](garment)).chunk(3, -1)))
        keys, values = self.keys(self.norms[3](photo)).chunk(2, -1)
        garment = garment + self.cross_out(self._attend(self.query(self.norms[4](garment)), keys, values))
        return garment + self.mlp(self.norms[5](garment)), photo

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Refinement(nn.Module):
    """Look at the photo through the map so far, and correct the map at twice its resolution."""

    def __init__(self, photo: int, before: int, width: int, outputs: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(photo + before + 4, width, 3, padding=1)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.leave = nn.Conv2d(width, outputs, 3, padding=1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, photo: Tensor, state: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, C, h, w) of the photo, and the state and map at half that size; returns the new state and map,
        and the other outputs."""
        place = _enlarged(place, photo)
        seen = F.grid_sample(
            photo, (place * 2 - 1).movedim(1, -1).to(photo), padding_mode="border", align_corners=False
        )
        inputs = [seen, _enlarged(state, photo), place * 2 - 1, coordinates(photo)]
        state = self.blocks(self.enter(torch.cat(inputs, 1)))
        change = self.leave(F.silu(state)).float()
        return state, place + change[:, :2] / 20, change[:, 2:]


class Flattener(nn.Module):
    """For each point of the flat garment, its place in the photo, and whether the photo shows it.

    `outlines`, if any, replace its own outline when garments are laid out.
    """

    def __init__(self, config: FlattenerConfig) -> None:
        super().__init__()
        self.config = config
        self.outlines: Outlines | None = None
        _, fine, middle, deep = config.widths
        self.pyramid = Pyramid(config.widths)
        self.garment = nn.Parameter(torch.randn(config.size[0] * config.size[1] // _DEEPEST**2, deep) * 0.02)
        self.category = nn.Embedding(len(CATEGORIES), deep)
        self.layers = nn.ModuleList(Layer(deep, config.heads) for _ in range(config.layers))
        self.first = nn.Linear(deep, 2)
        self.middle = Refinement(middle, deep, middle, 2)
        self.fine = Refinement(fine, middle, 48, 4 + CELL**2)
        self.light = nn.Conv2d(48, 1, 3, padding=1)
        for parameter in self.light.parameters():
            nn.init.zeros_(parameter)

    def forward(self, photo: Tensor, category: Tensor) -> Flattened:
        """`photo` (B, 4, H, W): RGB and mask of the view in 0..1; `category` (B,): indices in CATEGORIES."""
        _, fine, middle, deep = self.pyramid(photo)
        shape = deep.shape[-2:]
        tokens = deep.flatten(2).transpose(1, 2)
        garment = (self.garment + self.category(category)[:, None]).to(tokens)
        for layer in self.layers:
            garment, tokens = layer(garment, tokens)
        state = garment.transpose(1, 2).unflatten(-1, shape)
        centre = coordinates(deep).float() / 2 + 0.5
        first = centre + self.first(garment).float().transpose(1, 2).unflatten(-1, shape) / 4
        state, second, _ = self.middle(middle, state, first)
        state, place, rest = self.fine(fine, state, second)
        opacity = F.pixel_shuffle(rest[:, 2:], CELL)
        light = self.light(F.silu(state)).float()
        return Flattened(place, F.softplus(rest[:, :1] - 3), rest[:, 1:2], opacity, light, (first, second))


def coordinates(x: Tensor) -> Tensor:
    """Coordinates of the centres of the pixels of `x` (B, C, h, w), -1..1 from edge to edge: (B, 2, h, w)."""
    height, width = x.shape[-2:]
    down = (torch.arange(height, device=x.device, dtype=x.dtype) + 0.5) * 2 / height - 1
    across = (torch.arange(width, device=x.device, dtype=x.dtype) + 0.5) * 2 / width - 1
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    return torch.stack([columns, rows]).expand(x.shape[0], -1, -1, -1)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
