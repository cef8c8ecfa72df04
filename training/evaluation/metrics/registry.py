"""Registry of all metrics by name, with title and format.

Each name stands for one library and one setting. The paper's metrics use the libraries and the size of a protocol
(protocols.py), which is named in the column titles. This project's own metrics (garment.py) are computed within given
silhouettes; the column titles say so if there were none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from igr_core.errors import IGRError


@dataclass(frozen=True)
class Metric:
    """How a metric is computed and shown."""

    title: str
    """Title in tables."""
    decimals: int
    """Number of decimals."""
    higher_is_better: bool
    """Whether higher is better."""
    times: float = 1.0
    """Factor in tables, such as 1,000 for KID."""
    of_protocol: bool = False
    """Whether a protocol determines the library and the size."""
    inside: bool = False
    """Whether the metric is measured within the true garment's silhouette."""

    @property
    def arrow(self) -> str:
        """Arrow in table headers that shows the better direction."""
        return "↑" if self.higher_is_better else "↓"

    def name(self, protocol: str, masked: bool) -> str:
        """Name in a protocol's tables, with or without given silhouettes."""
        if self.of_protocol:
            return f"{self.title}, {protocol}"
        return self.title if masked or not self.inside else f"{self.title}, no mask"

    def heading(self, protocol: str, masked: bool) -> str:
        """Column header: name and arrow."""
        return f"{self.name(protocol, masked)} {self.arrow}"

    def written(self, value: float) -> str:
        """Format a value for tables."""
        return f"{value * self.times:.{self.decimals}f}"

    def change(self, value: float) -> str:
        """Format a difference for tables, with its sign."""
        return f"{value * self.times:+.{self.decimals}f}"


METRICS = {
    "ssim": Metric("SSIM", 4, True, of_protocol=True),
    "lpips_alex": Metric("LPIPS (alex)", 4, False, of_protocol=True),
    "lpips_vgg": Metric("LPIPS (vgg)", 4, False, of_protocol=True),
    "dists": Metric("DISTS", 4, False, of_protocol=True),
    "fid": Metric("FID", 2, False, of_protocol=True),
    "clip_fid": Metric("CLIP-FID", 2, False, of_protocol=True),
    "kid": Metric("KID ×10³", 2, False, 1000.0, of_protocol=True),
    "encoder_fd": Metric("FD (bundle's encoder)", 3, False),
    "texture_agreement": Metric("texture", 3, True, inside=True),
    "masked_l1": Metric("masked L1", 3, False, inside=True),
    "garment_psnr": Metric("garment PSNR, dB", 1, True, inside=True),
    "invented": Metric("invented", 3, False, inside=True),
    "missing": Metric("missing", 3, False, inside=True),
    "outline": Metric("outline", 3, True, inside=True),
}
"""All metrics by name, in the order of tables: the paper's metrics, FID's formula over a bundle's encoder, and this
project's own. `outline`, the IoU of the restored silhouette with the true one, is only computed for corrupted masks."""
ENCODER = ("encoder_fd",)
"""Metrics that need a bundle's image encoder."""
SCORED = tuple(name for name in METRICS if name != "outline")
"""Metrics for two folders of garments."""


def check_metrics(names: Iterable[str]) -> None:
    """Raise IGRError for a name that is not in SCORED."""
    unknown = [name for name in names if name not in SCORED]
    if unknown:
        raise IGRError(f"Unknown metric {unknown[0]!r}: choose {', '.join(SCORED)}.")
