"""Choose the attention heads that locate a garment's parts in the photo, and their weights."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import IGRError
from ..model.bundle import BundleInfo
from ..model.config import UNetConfig
from ..model.detail_config import HeadConfig, ReadoutConfig

MOST_CELLS = 64 * 64
"""Heads at levels with more cells are not read, because the size of an attention map is the square of this number."""


def chosen_readout(info: BundleInfo, blocks: Sequence[str], latent_shape: tuple[int, int]) -> ReadoutConfig:
    """The heads to read for a latent of shape (height, width): those fitted to the bundle, or else default_readout's.

    `blocks` are as in default_readout. Raises IGRError if the bundle has no GarmNet or lacks one of the heads, or if
    the size is too large.
    """
    if info.model.garmnet is None:
        raise IGRError(f"{info.name} has no GarmNet, so there is no evidence to read: use another bundle.")
    unet = info.model.denoiser
    config = default_readout(blocks, unet, latent_shape) if info.detail is None else info.detail.readout
    return readable(config, blocks, unet, latent_shape)


def default_readout(blocks: Sequence[str], config: UNetConfig, latent_shape: tuple[int, int]) -> ReadoutConfig:
    """Every head at one level of the middle and up blocks, for bundles that store no readout.

    The level is the finest one with at most MOST_CELLS cells. `blocks` are the names of the denoiser's self-attentions
    in the order of a forward pass; `latent_shape` is (height, width). Raises IGRError if all levels are too large.
    """
    levels = len(config.block_out_channels)
    upward = [name for name in blocks if name.startswith(("mid_block", "up_blocks"))]
    fits = [name for name in upward if cells_at(name, levels, latent_shape) <= MOST_CELLS]
    if not fits:
        raise IGRError("The attention maps of this image are too large to read: choose a smaller size.")
    finest = max(cells_at(name, levels, latent_shape) for name in fits)
    chosen = [name for name in fits if cells_at(name, levels, latent_shape) == finest]
    return ReadoutConfig(
        tuple(HeadConfig(name, head, 1.0) for name in chosen for head in range(config.heads[level_of(name, levels)]))
    )


def readable(
    readout: ReadoutConfig, blocks: Sequence[str], config: UNetConfig, latent_shape: tuple[int, int]
) -> ReadoutConfig:
    """A readout without the heads at levels that are too large for this latent size.

    Raises IGRError if the model lacks one of the heads, which the message names, or if no head is left.
    """
    levels, kept = len(config.block_out_channels), []
    for head in readout.heads:
        if head.block not in blocks or head.head >= config.heads[level_of(head.block, levels)]:
            raise IGRError(
                f"The bundle's readout names head {head.head} of {head.block}, which its model lacks: use "
                "another bundle, or fit its readout again."
            )
        if cells_at(head.block, levels, latent_shape) <= MOST_CELLS:
            kept.append(head)
    if not kept:
        raise IGRError("The attention maps of this image are too large to read: choose a smaller size.")
    return ReadoutConfig(tuple(kept), readout.steps)


def level_of(block: str, levels: int) -> int:
    """Level of a block in a UNet with this many levels; 0 is the finest."""
    kind, *number = block.split(".")
    if kind == "mid_block":
        return levels - 1
    return int(number[0]) if kind == "down_blocks" else levels - 1 - int(number[0])


def coarsest_cells(config: UNetConfig, latent_shape: tuple[int, int]) -> int:
    """Number of cells at the coarsest level, which has the smallest attention maps."""
    return cells_at("mid_block.attentions.0", len(config.block_out_channels), latent_shape)


def cells_at(block: str, levels: int, latent_shape: tuple[int, int]) -> int:
    """Number of cells at a block's level: height times width of the latent, halved once per level, rounding up."""
    height, width = latent_shape
    for _ in range(level_of(block, levels)):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height * width
