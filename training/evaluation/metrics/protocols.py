"""Named protocols: the size, libraries and split of a measurement.

Papers differ in these, so the reported FID of the same checkpoint ranges from 14.5 to 28.3. A result therefore includes
its protocol, and a table only contains results from one protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from igr_core.errors import IGRError


@dataclass(frozen=True)
class Protocol:
    """Settings for comparing images."""

    name: str
    """Name on the command line."""
    size: tuple[int, int] | None
    """Width and height at which images are compared; None for the size of the reference."""
    dists_size: tuple[int, int] | None
    """Width and height for DISTS; None for `size`."""
    paired: Literal["torchmetrics", "pyiqa"]
    """Library for SSIM, LPIPS and DISTS."""
    distribution: Literal["torch-fidelity", "clean-fid"]
    """Library for FID, CLIP-FID and KID, which also determines how images are resized for the network."""
    split: str
    """Images that the protocol is meant for, in words."""
    count: int | None
    """Number of pairs in that split; a note is added to results with a different number."""


PROTOCOLS = {
    one.name: one
    for one in (
        # The paper only states metrics and data sets; size and libraries are this project's choice.
        Protocol("igr", (768, 1024), None, "torchmetrics", "torch-fidelity", "VITON-HD test, paired", 2032),
        Protocol("tryoffdiff", (768, 1024), (256, 341), "pyiqa", "clean-fid", "VITON-HD test, cleaned", 1990),
        Protocol("temu", (768, 1024), None, "torchmetrics", "clean-fid", "VITON-HD test, paired", 2032),
        Protocol("native", None, None, "torchmetrics", "torch-fidelity", "any, at the reference's own size", None),
    )
}
"""Protocols by name; tryoffdiff and temu use the sizes and libraries of their papers (arXiv 2411.18350, 2505.21062)."""


def protocol_named(name: str) -> Protocol:
    """The protocol with this name; raises IGRError for an unknown name."""
    if name not in PROTOCOLS:
        raise IGRError(f"Unknown protocol {name!r}: choose {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
