"""Distribution metrics between two sets of images: FID, CLIP-FID and KID, with a protocol's libraries."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.restore.restorer import GarmentRestorer, encode_crop

from ..images.folders import ImageList, image_list, read_picture
from .protocols import Protocol
from .weights import CLIP_B32, INCEPTION, INCEPTION_SCRIPT, UNREADABLE, WeightsFile, WeightsFolder, file_sha256

BATCH = 16
"""Batch size of the networks."""
MIN_PICTURES = 3
"""Minimum number of images in a set for distribution metrics."""
KID_SUBSETS = 100
"""Number of subsets for torch-fidelity's KID, as in clean-fid."""
KID_SUBSET_SIZE = 1000
"""Images per subset; if the smaller set has no more than this, half of that set."""
_MODULES = {"torch-fidelity": "torch_fidelity", "clean-fid": "cleanfid"}
Extract = Callable[[Tensor], Tensor]
"""Maps images (B, 3, H, W) uint8 to features (B, D)."""


@dataclass(frozen=True)
class Spread:
    """A distribution metric: one number for two whole sets."""

    value: float
    """The metric; KID is the mean over subsets."""
    spread: float | None
    """Standard deviation over KID's subsets in torch-fidelity; None for FID, and for clean-fid, which does not return
    it."""
    n: int
    """Number of generated images; with few images, FID is biased upwards."""
    n_reference: int
    """Number of reference images."""


@dataclass(frozen=True)
class Network:
    """A feature network."""

    name: str
    """`inception` or `clip`, followed by the library whose resizing is used."""
    library: str
    """`torch-fidelity` or `clean-fid`."""
    weights: WeightsFile | Path
    """File of the network's weights; a path for a bundle."""
    load: Callable[[Path, torch.device], Extract]
    """Loads the network to a device."""
    beside: tuple[str, ...] = ()
    """Further libraries that are required."""

    def path(self, folder: WeightsFolder) -> Path:
        """Path of the network's weights; raises IGRError if they do not exist."""
        if not isinstance(self.weights, Path):
            return folder.path(self.weights)
        if not self.weights.is_file():
            raise IGRError(f"{self.weights} does not exist: specify a bundle.")
        return self.weights

    def sha256(self, folder: WeightsFolder) -> str:
        """Hash of the network's weights."""
        return file_sha256(self.path(folder))

    def check(self, folder: WeightsFolder) -> None:
        """Raise IGRError if the network's weights or required libraries are missing."""
        for library in (self.library, *self.beside):
            if find_spec(_MODULES[library]) is None:
                raise IGRError(f"{self.name} of this protocol requires {library}: run `pip install {library}`.")
        self.path(folder)


@dataclass(frozen=True)
class DistributionMetric:
    """A metric, consisting of a feature network and a formula."""

    name: str
    """`fid`, `clip_fid`, `kid`."""
    network: Network
    """Network whose features are compared."""


def distribution_metrics(protocol: Protocol) -> list[DistributionMetric]:
    """The paper's distribution metrics with a protocol's libraries, in the order of tables."""
    clean = protocol.distribution == "clean-fid"
    inception = CLEAN_INCEPTION if clean else FIDELITY_INCEPTION
    return [
        DistributionMetric("fid", inception),
        DistributionMetric("clip_fid", CLEAN_CLIP if clean else FIDELITY_CLIP),
        DistributionMetric("kid", inception),
    ]


def encoder_metrics(bundle: Path | None) -> list[DistributionMetric]:
    """FID's formula with a bundle's own image encoder, for images that published networks do not suit, such as drawn
    ones.

    The numbers are only comparable within one table.
    """
    if bundle is None:
        return []
    network = Network("bundle's image encoder", "torch-fidelity", bundle, _bundle_encoder)
    return [DistributionMetric("encoder_fd", network)]


class DistributionScorer:
    """Scores images with those of a protocol's requested distribution metrics that can run here.

    Features can be cached in a folder.
    """

    def __init__(
        self,
        protocol: Protocol,
        wanted: Iterable[str],
        weights: WeightsFolder,
        cache: Path | None = None,
        encoder: Path | None = None,
        device: torch.device = torch.device("cpu"),
    ) -> None:
        """Check which of the metrics `wanted` can run, without loading their networks; the others are listed in
        `skipped`. `encoder` is the bundle whose image encoder encoder_fd uses; networks run on `device`."""
        wanted = set(wanted)
        self.protocol = protocol
        """Protocol by which images are compared."""
        self.skipped: dict[str, str] = {}
        """Why each requested metric cannot run here: a sentence, by the metric's name."""
        self.used: dict[str, DistributionMetric] = {}
        """Metrics that run."""
        self._weights, self._cache, self._device = weights, cache, device
        self._loaded: dict[str, Extract] = {}
        for metric in (*distribution_metrics(protocol), *encoder_metrics(encoder)):
            if metric.name not in wanted:
                continue
            try:
                metric.network.check(weights)
                self.used[metric.name] = metric
            except IGRError as error:
                self.skipped[metric.name] = str(error)

    def score(self, generated: Sequence[Path], reference: Sequence[Path]) -> dict[str, Spread]:
        """Metrics between two sets of files; metrics that fail are moved from `used` to `skipped`."""
        smaller = min(len(generated), len(reference))
        lists = [image_list(paths) for paths in (generated, reference)] if self.used else []
        found = {}
        for name, metric in list(self.used.items()):
            try:
                if smaller < MIN_PICTURES:
                    raise IGRError(f"{name} needs sets of at least {MIN_PICTURES} images, but one has {smaller}.")
                one, other = (
                    self._features(metric.network, paths, listed)
                    for paths, listed in zip((generated, reference), lists, strict=True)
                )
                found[name] = self._distance(metric, one, other)
            except IGRError as error:
                del self.used[name]
                self.skipped[name] = str(error)
        return found

    def _distance(self, metric: DistributionMetric, one: np.ndarray, other: np.ndarray) -> Spread:
        clean = metric.network.library == "clean-fid"
        if metric.name == "kid":
            return clean_kernel_distance(one, other) if clean else kernel_distance(one, other)
        formula = _clean_frechet if clean else frechet_distance
        return Spread(formula(one, other), None, len(one), len(other))

    def _features(self, network: Network, paths: Sequence[Path], listed: ImageList) -> np.ndarray:
        """Features (N, D) of the files, from the cache if possible."""
        file = None
        if self._cache is not None:
            key = f"{network.name} {network.sha256(self._weights)} {self.protocol.size} {listed.sha256}"
            file = self._cache / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
            kept = _kept_features(file, listed.count)
            if kept is not None:
                return kept
        if network.name not in self._loaded:
            self._loaded[network.name] = load_network(network, network.path(self._weights), self._device)
        features = extract(self._loaded[network.name], paths, self.protocol.size, network.name)
        if file is not None:
            make_folder(file.parent)
            with atomic_file(file) as temporary, temporary.open("wb") as handle:
                np.save(handle, features)
        return features


def _kept_features(file: Path, count: int) -> np.ndarray | None:
    """Features of `count` images from a cache file; None if it is missing or damaged."""
    try:
        with file.open("rb") as handle:
            features = np.load(handle)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return features if isinstance(features, np.ndarray) and features.ndim == 2 and len(features) == count else None


def load_network(network: Network, path: Path, device: torch.device = torch.device("cpu")) -> Extract:
    """Read a network from its file; raises IGRError if the file does not contain it."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)  # some files are published as TorchScript
            return network.load(path, device)
    except IGRError:
        raise
    except (*UNREADABLE, AssertionError) as error:
        raise IGRError(
            f"{path.name} does not contain the {network.name} network in a form that {network.library} reads: download "
            "it again."
        ) from error


@torch.no_grad()
def extract(network: Extract, paths: Sequence[Path], size: tuple[int, int] | None, title: str) -> np.ndarray:
    """Features (N, D) of image files, resized to `size` (W, H) if given."""
    found = []
    for start in tqdm(range(0, len(paths), BATCH), desc=f"{title}: {paths[0].parent.name}", unit="batch", leave=False):
        pictures = [read_picture(path, size) for path in paths[start : start + BATCH]]
        if len({picture.shape for picture in pictures}) == 1:
            found.append(network(torch.stack(pictures)).cpu())
        else:
            found += [network(picture[None]).cpu() for picture in pictures]
    return torch.cat(found).double().numpy()


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Fréchet distance between features (N, D) and (M, D), by torch-fidelity."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    statistics = [fid_features_to_statistics(torch.from_numpy(features)) for features in (one, other)]
    return fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]


def _clean_frechet(one: np.ndarray, other: np.ndarray) -> float:
    from cleanfid.fid import fid_from_feats

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # ignore the warning that the matrix square root did not converge; the library then adds its epsilon
        try:
            return float(fid_from_feats(one, other))
        except TypeError as error:  # clean-fid passes sqrtm an argument that SciPy 1.18 has removed
            raise IGRError(
                "clean-fid does not work with this version of SciPy: run `pip install 'scipy<1.18'`."
            ) from error


def kernel_distance(one: np.ndarray, other: np.ndarray) -> Spread:
    """KID between features (N, D) and (M, D), by torch-fidelity: unbiased MMD of a polynomial kernel over subsets."""
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    smaller = min(len(one), len(other))
    found = kid_features_to_metric(
        torch.from_numpy(one),
        torch.from_numpy(other),
        kid_subsets=KID_SUBSETS,
        kid_subset_size=KID_SUBSET_SIZE if smaller > KID_SUBSET_SIZE else max(2, smaller // 2),
        verbose=False,
    )
    return Spread(found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD], len(one), len(other))


def clean_kernel_distance(one: np.ndarray, other: np.ndarray) -> Spread:
    """KID between features (N, D) and (M, D), by clean-fid, without a spread.

    Subsets are as large as the smaller set, up to 1,000.
    """
    from cleanfid.fid import kernel_distance as clean

    before = np.random.get_state()
    np.random.seed(0)  # the library draws its subsets with NumPy's global generator, but numbers must be reproducible
    try:
        value = clean(one, other, num_subsets=KID_SUBSETS, max_subset_size=KID_SUBSET_SIZE)
    finally:
        np.random.set_state(before)
    return Spread(value, None, len(one), len(other))


def _fidelity(name: str, feature: str) -> Callable[[Path, torch.device], Extract]:
    def load(path: Path, device: torch.device) -> Extract:
        from torch_fidelity.utils import create_feature_extractor

        network = create_feature_extractor(
            name, [feature], cuda=False, feature_extractor_weights_path=str(path), verbose=False
        ).to(device)
        return lambda pictures: network(pictures.to(device))[0]

    return load


def _clean_inception(path: Path, device: torch.device) -> Extract:
    from cleanfid.inception_torchscript import InceptionV3W
    from cleanfid.resize import build_resizer

    network, resize = InceptionV3W(str(path.parent), download=False).to(device), build_resizer("clean")

    def features(pictures: Tensor) -> Tensor:
        resized = [torch.from_numpy(resize(one.permute(1, 2, 0).numpy())).permute(2, 0, 1) for one in pictures]
        return network(torch.stack(resized).to(device))

    return features


def _clean_clip(path: Path, device: torch.device) -> Extract:
    """clean-fid's resizing for CLIP-FID (shorter side 224, bicubic, centre crop) before the published network."""
    from torchvision.transforms.functional import center_crop, to_pil_image
    from torchvision.transforms.functional import resize as resize_picture
    from torchvision.transforms.transforms import InterpolationMode

    network = _fidelity("clip-vit-b-32", "clip")(path, device)

    def features(pictures: Tensor) -> Tensor:
        resized = []
        for one in pictures:
            small = center_crop(resize_picture(to_pil_image(one), [224], InterpolationMode.BICUBIC), [224])
            resized.append(torch.from_numpy(np.array(small)).permute(2, 0, 1))
        return network(torch.stack(resized))

    return features


def _bundle_encoder(path: Path, device: torch.device) -> Extract:
    restorer = GarmentRestorer.from_bundle(path, str(device))
    encoder = restorer.image_encoder
    if encoder is None:
        raise IGRError(f"{path} has no image encoder: use a bundle that has one.")

    def features(pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        side, x, y = max(height, width), max(height - width, 0) // 2, max(width - height, 0) // 2
        square = F.pad(pictures.to(device).float() / 255, (x, side - width - x, y, side - height - y), value=1.0)
        size = encoder.config.image_size
        crop = F.interpolate(square, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
        return encode_crop(encoder, crop, "linear")

    return features


FIDELITY_INCEPTION = Network("inception", "torch-fidelity", INCEPTION, _fidelity("inception-v3-compat", "2048"))
FIDELITY_CLIP = Network("clip", "torch-fidelity", CLIP_B32, _fidelity("clip-vit-b-32", "clip"))
CLEAN_INCEPTION = Network("inception, clean-fid", "clean-fid", INCEPTION_SCRIPT, _clean_inception)
CLEAN_CLIP = Network("clip, clean-fid", "clean-fid", CLIP_B32, _clean_clip, ("torch-fidelity",))
