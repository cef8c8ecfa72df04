"""Named protocols: at which size, by which libraries and on which split a number was measured.

The same checkpoint is reported with FID from 14.5 to 28.3, as papers differ in just these; so a result carries its
protocol, and only results of one protocol come into one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from igr_core.errors import IGRError


@dataclass(frozen=True)
class Protocol:
    """How pictures are compared."""

    name: str
    """What it is called on the command line."""
    size: tuple[int, int] | None
    """Width and height at which pictures are compared; None for the reference's own."""
    dists_size: tuple[int, int] | None
    """The same for DISTS; None where it is compared at `size`."""
    paired: Literal["torchmetrics", "pyiqa"]
    """Library of SSIM, LPIPS and DISTS."""
    distribution: Literal["torch-fidelity", "clean-fid"]
    """Library of FID, CLIP-FID and KID, which also decides how pictures are resized for the network."""
    split: str
    """Which pictures it is meant for, in words."""
    count: int | None
    """How many pairs that split has; a result of another count says so."""


PROTOCOLS = {
    one.name: one
    for one in (
        # The paper names metrics and data sets alone; size and libraries are this project's choice.
        Protocol("igr", (768, 1024), None, "torchmetrics", "torch-fidelity", "VITON-HD test, paired", 2032),
        Protocol("tryoffdiff", (768, 1024), (256, 341), "pyiqa", "clean-fid", "VITON-HD test, cleaned", 1990),
        Protocol("temu", (768, 1024), None, "torchmetrics", "clean-fid", "VITON-HD test, paired", 2032),
        Protocol("native", None, None, "torchmetrics", "torch-fidelity", "any, at the reference's own size", None),
    )
}
"""By name; FIELD notes of the papers (arXiv 2411.18350, 2505.21062) are the source of sizes and libraries."""


def protocol_named(name: str) -> Protocol:
    """The protocol of that name; IGRError for an unknown one."""
    if name not in PROTOCOLS:
        raise IGRError(f"There is no protocol {name!r}: choose {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
