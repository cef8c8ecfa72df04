"""Metrics that compare a generated image with the true image, using a protocol's libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from igr_core.errors import IGRError
from igr_core.photo.flood_fill import border, flood

from . import garment as own
from .protocols import Protocol
from .weights import ALEXNET, DISTS, LPIPS_ALEX, LPIPS_VGG, UNREADABLE, VGG16, WeightsFile, WeightsFolder

OWN = ("texture_agreement", "masked_l1", "garment_psnr", "invented", "missing")
"""This project's metrics within the garment's silhouette (garment.py), which do not need weights."""
WHITE = 0.94
"""Pixels are background if all their channels are above this value and they are connected to the border."""
OWN_WIDTH = 384
"""Larger images are resized to this width for OWN metrics, whose patches and rims are in pixels. At this width, small
offsets are tolerated, and lettering is still legible."""
Compare = Callable[[Tensor, Tensor], Tensor]
"""Maps images (1, 3, H, W) in 0..1, generated and true, to their score."""


@dataclass(frozen=True)
class PairedMetric:
    """A metric of the paper and its implementation."""

    name: str
    """`ssim`, `lpips_alex`, ..."""
    library: str
    """`torchmetrics` or `pyiqa`."""
    weights: tuple[WeightsFile, ...] = ()
    """Files of the metric's network."""
    head: WeightsFile | None = None
    """File of the network's calibrated head, one of `weights`; None if `library` includes the head."""

    def build(self, weights: WeightsFolder, device: torch.device = torch.device("cpu")) -> Compare:
        """Load the metric to a device. Raises MissingWeights, or IGRError if its library is not installed."""
        if find_spec(self.library) is None:
            raise IGRError(f"{self.name} of this protocol requires {self.library}: run `pip install {self.library}`.")
        for file in self.weights:
            weights.path(file)
        try:
            with weights.as_hub():
                return _BUILDERS[self.library](self.name, weights.path(self.head) if self.head else None, device)
        except UNREADABLE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            files = ", ".join(file.name for file in self.weights) or "its files"
            raise IGRError(
                f"{self.library} could not load the network of {self.name} ({reason}): download {files} again."
            ) from error


def paired_metrics(protocol: Protocol) -> list[PairedMetric]:
    """The paper's paired metrics with a protocol's libraries, in the order of tables."""
    library = protocol.paired
    networks = {"lpips_alex": (ALEXNET, LPIPS_ALEX), "lpips_vgg": (VGG16, LPIPS_VGG), "dists": (VGG16, DISTS)}
    if library == "torchmetrics":  # the package includes the same heads
        found = [PairedMetric(name, library, (trunk,)) for name, (trunk, _) in networks.items()]
    else:
        found = [PairedMetric(name, library, files, files[-1]) for name, files in networks.items()]
    return [PairedMetric("ssim", library), *found]


class PairedScorer:
    """Scores images with those of a protocol's requested metrics that can run here."""

    def __init__(
        self,
        protocol: Protocol,
        wanted: Iterable[str],
        weights: WeightsFolder,
        device: torch.device = torch.device("cpu"),
    ) -> None:
        """Set up the metrics `wanted`, from paired_metrics and OWN; those that cannot run are listed in `skipped`.
        Networks run on `device`."""
        wanted = set(wanted)
        self.protocol = protocol
        """Protocol by which images are compared."""
        self.skipped: dict[str, str] = {}
        """Why each requested metric cannot run here: a sentence, by the metric's name."""
        self.used: dict[str, PairedMetric] = {}
        """The paper's metrics that run."""
        self._compare: dict[str, Compare] = {}
        self._own = tuple(name for name in OWN if name in wanted)
        for metric in paired_metrics(protocol):
            if metric.name not in wanted:
                continue
            try:
                self._compare[metric.name] = metric.build(weights, device)
                self.used[metric.name] = metric
            except IGRError as error:
                self.skipped[metric.name] = str(error)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scores, in the order of tables."""
        return (*self._compare, *self._own)

    @torch.no_grad()
    def score(self, generated: Tensor, truth: Tensor, silhouette: Tensor | None = None) -> dict[str, float]:
        """Compare an image (3, H, W) with the true image, both uint8 or in 0..1; `silhouette` is (1, H, W) in 0..1.

        Without a silhouette, everything except the white background counts as the true garment.
        """
        one, other = (_unit(picture)[None] for picture in (generated, truth))
        found = {}
        for name, compare in self._compare.items():
            a, b = (self._for_dists(x) for x in (one, other)) if name == "dists" else (one, other)
            found[name] = float(compare(a, b))
        if self._own:
            one, other = _for_own(one), _for_own(other)
            inside = silhouette_of(other) if silhouette is None else _for_own(silhouette[None])
            for name in self._own:
                found[name] = float(_OWN[name](one, other, inside))
        return {name: found[name] for name in self.names}

    def _for_dists(self, picture: Tensor) -> Tensor:
        size = self.protocol.dists_size
        if size is None:
            return picture
        return F.interpolate(picture, (size[1], size[0]), mode="bicubic", antialias=True).clamp(0, 1)


def silhouette_of(garment: Tensor) -> Tensor:
    """Mask of the garment in a flat image: all pixels except white ones connected to the border; (B, 3, H, W) -> (B, 1,
    H, W)."""
    white = (garment > WHITE).all(dim=1, keepdim=True)
    return (~flood(border(white), white)).float()


def _for_own(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    if width <= OWN_WIDTH:
        return picture
    size = (round(height * OWN_WIDTH / width), OWN_WIDTH)
    return F.interpolate(picture, size, mode="bicubic", antialias=True).clamp(0, 1)


def _unit(picture: Tensor) -> Tensor:
    return picture.float() / 255 if picture.dtype == torch.uint8 else picture.float()


def _torchmetrics(name: str, head: Path | None, device: torch.device) -> Compare:
    from torchmetrics.functional.image import structural_similarity_index_measure
    from torchmetrics.functional.image.dists import DISTSNetwork
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    if name == "ssim":
        return partial(structural_similarity_index_measure, data_range=1.0)  # type: ignore[return-value]
    if name == "dists":
        return _on(DISTSNetwork(), device)
    net: Literal["alex", "vgg"] = "alex" if name == "lpips_alex" else "vgg"
    return _on(LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True), device)


def _on(network: nn.Module, device: torch.device) -> Compare:
    network = network.eval().to(device)
    return lambda one, other: network(one.to(device), other.to(device))


def _pyiqa(name: str, head: Path | None, device: torch.device) -> Compare:
    import pyiqa  # type: ignore[import-not-found]

    names = {"ssim": "ssim", "lpips_alex": "lpips", "lpips_vgg": "lpips-vgg", "dists": "dists"}
    if head is None:  # SSIM, which has no network
        return pyiqa.create_metric(names[name], device="cpu")
    return _on(pyiqa.create_metric(names[name], device=device, pretrained_model_path=str(head)), device)


_BUILDERS: dict[str, Callable[[str, Path | None, torch.device], Compare]] = {
    "torchmetrics": _torchmetrics,
    "pyiqa": _pyiqa,
}
_OWN: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "texture_agreement": own.texture_agreement,
    "masked_l1": own.masked_l1,
    "garment_psnr": own.garment_psnr,
    "invented": lambda generated, truth, inside: own.invented(generated, inside),
    "missing": own.missing,
}
