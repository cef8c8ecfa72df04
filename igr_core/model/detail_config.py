"""Settings, fitted by `python -m training`, for reading a bundle's attention and computing evidence from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..ranges import Length, Range, Ranged

FEATURES = ("sharpness", "spread", "share", "mass", "inside", "residual", "fold", "neighbours", "intercept")
"""Features of a cell from which igr_core.detail.evidence computes its evidence."""

Coefficient = Annotated[float, Range(-1e3, 1e3)]


@dataclass(frozen=True)
class HeadConfig(Ranged):
    """One head of the denoiser's self-attention."""

    block: str
    """Name of the block, such as up_blocks.1.attentions.0."""
    head: Annotated[int, Range(0, 255)]
    """Number of the head, starting at 0."""
    weight: Annotated[float, Range(0.0, 100.0)] = 1.0
    """Exponent of the head's attention in the product over all heads."""


@dataclass(frozen=True)
class ReadoutConfig(Ranged):
    """The attention that locates a garment's parts in the photo."""

    heads: Annotated[tuple[HeadConfig, ...], Length(1, 256)]
    """The heads whose attention is multiplied."""
    steps: Annotated[int, Range(1, 100)] = 3
    """Number of timesteps that are read, spread over the last third of the denoising process."""


@dataclass(frozen=True)
class EvidenceConfig(Ranged):
    """Logistic regression from the features of a cell to the probability that it was visible."""

    coefficients: Annotated[tuple[Coefficient, ...], Length(len(FEATURES), len(FEATURES))]
    """One coefficient for each of FEATURES."""


@dataclass(frozen=True)
class DetailConfig:
    """Settings that were fitted to a bundle."""

    readout: ReadoutConfig
    """The heads and timesteps whose attention is read."""
    evidence: EvidenceConfig
    """How evidence is computed from the attention of these heads."""
