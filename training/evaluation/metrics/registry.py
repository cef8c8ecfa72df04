"""Every metric by name: what tables call it, how it is written, and what computes it.

A name stands for one library and one setting. The paper's metrics are computed by the libraries and at the size of a
protocol (protocols.py), so that their columns name it; this project's own are computed by garment.py, inside given
silhouettes, and columns say so where there were none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from igr_core.errors import IGRError


@dataclass(frozen=True)
class Metric:
    """How a metric is computed and written."""

    title: str
    """In tables."""
    decimals: int
    """Digits behind the point."""
    higher_is_better: bool
    """Its better side."""
    times: float = 1.0
    """What tables multiply it with: KID is given times 1,000."""
    of_protocol: bool = False
    """Whether a protocol decides which library computes it, and at which size."""
    inside: bool = False
    """Whether it counts pixels inside the true garment's silhouette."""

    @property
    def arrow(self) -> str:
        """Its better side as heads of tables show it."""
        return "↑" if self.higher_is_better else "↓"

    def name(self, protocol: str, masked: bool) -> str:
        """Its name in tables of one protocol, with given silhouettes or without."""
        if self.of_protocol:
            return f"{self.title}, {protocol}"
        return self.title if masked or not self.inside else f"{self.title}, no mask"

    def heading(self, protocol: str, masked: bool) -> str:
        """Head of its column: name and better side."""
        return f"{self.name(protocol, masked)} {self.arrow}"

    def written(self, value: float) -> str:
        """A value as tables write it."""
        return f"{value * self.times:.{self.decimals}f}"

    def change(self, value: float) -> str:
        """A difference of two values as tables write it, with its sign."""
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
"""All metrics by name, in the order of tables: the paper's, the same over a bundle's encoder, this project's.
`outline`, the IoU of the restored and the true silhouette, is computed for spoiled masks alone."""
ENCODER = ("encoder_fd",)
"""Those that need a bundle to look through."""
SCORED = tuple(name for name in METRICS if name != "outline")
"""Those that two folders of garments are scored by."""


def check_metrics(names: Iterable[str]) -> None:
    """Raise IGRError for a name that is not in SCORED."""
    unknown = [name for name in names if name not in SCORED]
    if unknown:
        raise IGRError(f"There is no metric {unknown[0]!r}: choose {', '.join(SCORED)}.")
