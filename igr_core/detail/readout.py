"""Find each part of the garment in the photo by reading the reference self-attention (Eq. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import IGRError
from ..model.detail_config import ReadoutConfig
from ..model.garmfus import Noted, level_shape

_NO_ATTENTION = -1e4
"""Log attention of tokens that were pruned; finite, because a product of heads may exclude every cell."""
_WINDOW = 5
"""Side, in cells, of the window around the attention's peak over which the position is averaged."""


@dataclass(frozen=True)
class Correspondence:
    """Position of each of a garment's h x w cells in each of its n photos."""

    place: Tensor
    """(n, 2, h, w): x and y as fractions of the photo's view, 0..1."""
    sharpness: Tensor
    """(n, h, w) in 0..1: fraction of that photo's attention within a few cells of the position."""
    spread: Tensor
    """(n, h, w): standard deviation of the attention around the position, as a fraction of the view's height."""
    share: Tensor
    """(n, h, w) in 0..1: fraction of the reference attention that goes to the photo; sums to 1 over the photos."""
    mass: Tensor
    """(h, w) in 0..1: fraction of all attention that goes to the reference rather than to the garment itself."""
    inside: Tensor
    """(n, h, w) in 0..1: fraction of that photo's attention inside its mask."""

    def cpu(self) -> Correspondence:
        """A copy with all tensors on the CPU."""
        return Correspondence(**{name: value.cpu() for name, value in vars(self).items()})


class Readout:
    """Collects the attention of chosen heads over a few calls of the denoiser with B garments."""

    def __init__(self, config: ReadoutConfig, latent_shape: tuple[int, int], count: int) -> None:
        """`latent_shape` is (height, width), and `count` is B. The heads in `config` must exist in the model."""
        self.config, self.latent_shape, self.count = config, latent_shape, count
        self.blocks = tuple(dict.fromkeys(head.block for head in config.heads))
        """The blocks to record."""
        self._logits: list[Tensor | None] = [None] * count
        self._mass: list[Tensor | None] = [None] * count
        self._weight = [0.0] * count
        self._read = 0
        self._shape = (0, 0)

    def empty_notes(self) -> dict[str, list[Noted]]:
        """The initial value of Fusion.notes for a call of the denoiser."""
        return {name: [] for name in self.blocks}

    @torch.no_grad()
    def add(self, notes: Mapping[str, Sequence[Noted]]) -> None:
        """Add the notes of one call; row i of its batch belongs to garment i."""
        if self._shape == (0, 0):
            self._shape = max(
                (self._level(noted) for block in self.blocks for noted in notes[block]), default=self._shape
            )
        self._read += 1
        for head in self.config.heads:
            for noted in notes[head.block]:
                for place, row in enumerate(noted.rows):
                    self._add(noted, place, head.head, head.weight, row)

    @property
    def photos(self) -> int:
        """Number of photos per garment in the attention that was read; 1 if nothing has been read yet."""
        cells = self._shape[0] * self._shape[1]
        return 1 if self._logits[0] is None else self._logits[0].shape[1] // cells

    def correspondences(self, masks: Sequence[Tensor]) -> list[Correspondence]:
        """The correspondence between each garment and its photos.

        `masks` has one tensor (n, 1, H, W) per garment: the masks of its photos, as in the view. Raises IGRError if no
        attention to a reference was read.
        """
        found = []
        for logits, mass, weight, mask in zip(self._logits, self._mass, self._weight, masks, strict=True):
            if logits is None or mass is None:
                raise IGRError("No reference attention was recorded in this run: set the reference strength above 0.")
            found.append(_correspondence(logits / self._read, mass / max(weight, 1e-9), mask, self._shape))
        return found

    def _level(self, noted: Noted) -> tuple[int, int]:
        return level_shape(noted.query.shape[1], self.latent_shape)

    def _add(self, noted: Noted, place: int, head: int, weight: float, garment: int) -> None:
        width = noted.query.shape[-1] // noted.heads
        part = slice(head * width, (head + 1) * width)
        query, reference, own = (
            x[place, :, part].float() for x in (noted.query, noted.reference_key, noted.own_key)
        )  # (N, d), (T, d), (N, d)
        level = self._level(noted)
        tokens = level[0] * level[1]
        photos, rest = divmod(noted.reference_key.shape[1] if noted.cells is None else noted.whole, tokens)
        if photos == 0 or rest:
            raise IGRError(
                "The garment was sampled at a different size from its reference, so the attention does not show where "
                "its parts are in the photo: read the latent before it is enlarged or reduced."
            )
        scaled = query / width**0.5
        to_reference = scaled @ reference.T  # (N, T), where T = n * N if no token was pruned
        total = to_reference.logsumexp(-1)
        mass = (total - torch.logaddexp(total, (scaled @ own.T).logsumexp(-1))).exp()  # (N,)
        # convert to the finest level that is read, by repeating the cells of coarser levels
        cells = cells_of_level(level, self._shape, query.device)
        log_probability = to_reference - total[:, None]
        if noted.cells is not None:
            kept = noted.cells[place].to(query.device)
            everywhere = log_probability.new_full((tokens, photos * tokens), _NO_ATTENTION)
            log_probability = everywhere.index_copy(1, kept, log_probability)
        log_probability = log_probability.view(tokens, photos, tokens)[cells][:, :, cells]
        logits = weight * log_probability.flatten(1)  # (h * w, n * h * w)
        before, mass_before = self._logits[garment], self._mass[garment]
        self._logits[garment] = logits if before is None else before + logits
        self._weight[garment] += weight
        self._mass[garment] = weight * mass[cells] + (0 if mass_before is None else mass_before)


def cells_of_level(level: tuple[int, int], shape: tuple[int, int], device: torch.device) -> Tensor:
    """For each cell of a grid of `shape`, the index of the cell of the coarser `level` at its centre: (h * w,)."""
    y, x = (
        ((torch.arange(fine, device=device) + 0.5) * coarse / fine).long()
        for coarse, fine in zip(level, shape, strict=True)
    )
    return (y[:, None] * level[1] + x[None, :]).flatten()


def _correspondence(logits: Tensor, mass: Tensor, masks: Tensor, shape: tuple[int, int]) -> Correspondence:
    """Positions and certainties from summed log attention (h * w, n * h * w)."""
    height, width = shape
    cells, photos = height * width, logits.shape[1] // (height * width)
    both = logits.softmax(-1).view(cells, photos, height, width)
    share = both.sum((2, 3))  # (cells, n)
    each = logits.view(cells, photos, cells).softmax(-1)  # (cells, n, cells)
    y = (torch.arange(height, device=logits.device, dtype=torch.float32) + 0.5).view(-1, 1).expand(shape).flatten()
    x = (torch.arange(width, device=logits.device, dtype=torch.float32) + 0.5).expand(shape).flatten()
    peak = each.argmax(-1, keepdim=True)
    reach = _WINDOW // 2
    near = ((x - x[peak]).abs() <= reach) & ((y - y[peak]).abs() <= reach)  # (cells, n, cells)
    window = each * near
    sharpness = window.sum(-1)
    at_x, at_y = ((window * axis).sum(-1) / sharpness for axis in (x, y))
    square = (each * ((x - at_x[..., None]) ** 2 + (y - at_y[..., None]) ** 2)).sum(-1)
    seen = F.interpolate(masks.to(logits), shape, mode="area").flatten(1)  # (n, cells)
    inside = torch.einsum("qnc,nc->qn", each, seen)
    place = torch.stack([at_x / width, at_y / height], 1)  # (cells, 2, n)

    def grid(values: Tensor) -> Tensor:
        return values.movedim(0, -1).unflatten(-1, shape).contiguous()

    return Correspondence(
        place=grid(place).movedim(1, 0).contiguous(),
        sharpness=grid(sharpness),
        spread=grid(square.sqrt() / height),
        share=grid(share),
        mass=grid(mass),
        inside=grid(inside),
    )
