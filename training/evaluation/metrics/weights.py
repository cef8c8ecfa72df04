"""Files of the metrics' networks: their names, where they are published, and whether they exist."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import torch

from igr_core.errors import IGRError
from igr_core.files import sha256


@dataclass(frozen=True)
class WeightsFile:
    """A published file of a metric's network."""

    name: str
    """File name in `checkpoints/` of a torch hub folder."""
    sha256: str
    """The file's SHA-256, or its first digits if the publisher only includes these in the name."""
    library: str
    """Package that contains the file's address, by its name in pip."""
    address: Callable[[], str]
    """Gets the address from that package; raises ImportError if it is not installed."""
    elsewhere: tuple[Path, ...] = ()
    """Other places where libraries store the file, searched if no folder is given."""


def _alexnet() -> str:
    from torchvision.models import AlexNet_Weights

    return AlexNet_Weights.DEFAULT.url


def _vgg16() -> str:
    from torchvision.models import VGG16_Weights

    return VGG16_Weights.DEFAULT.url


def _inception() -> str:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return URL_INCEPTION_V3


def _inception_script() -> str:
    from cleanfid.downloads_helper import inception_url

    return inception_url


def _clip_b32() -> str:
    from torch_fidelity.feature_extractor_clip import MODEL_URLS

    return MODEL_URLS["clip-vit-b-32"]


def _pyiqa_lpips(net: str) -> Callable[[], str]:
    def address() -> str:
        from pyiqa.archs.lpips_arch import default_model_urls  # type: ignore[import-not-found]

        return default_model_urls[f"0.1_{net}"]

    return address


def _pyiqa_dists() -> str:
    from pyiqa.archs.dists_arch import default_model_urls  # type: ignore[import-not-found]

    return default_model_urls["url"]


def _kept_by_pyiqa(name: str, same: str) -> tuple[Path, ...]:
    """Paths of the file in pyiqa's own cache and, if torchmetrics is installed, in that package."""
    spec = find_spec("torchmetrics")
    packages = spec.submodule_search_locations or () if spec is not None else ()
    inside = (Path(package) / "functional" / "image" / same for package in packages)
    return (Path(torch.hub.get_dir()) / "pyiqa" / name, *inside)


_CLIP_SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
ALEXNET = WeightsFile("alexnet-owt-7be5be79.pth", "7be5be79", "torchvision", _alexnet)
VGG16 = WeightsFile("vgg16-397923af.pth", "397923af", "torchvision", _vgg16)
INCEPTION = WeightsFile("weights-inception-2015-12-05-6726825d.pth", "6726825d", "torch-fidelity", _inception)
INCEPTION_SCRIPT = WeightsFile(
    "inception-2015-12-05.pt",
    "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
    "clean-fid",
    _inception_script,
    (Path(tempfile.gettempdir()) / "inception-2015-12-05.pt",),
)
CLIP_B32 = WeightsFile(
    "ViT-B-32.pt",
    _CLIP_SHA256,
    "torch-fidelity",
    _clip_b32,
    (
        Path(torch.hub.get_dir()) / "checkpoints" / f"clip-vit-b-32-{_CLIP_SHA256}.pt",
        Path.home() / ".cache" / "clip" / "ViT-B-32.pt",
    ),
)
LPIPS_ALEX = WeightsFile(
    "LPIPS_v0.1_alex-df73285e.pth",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "pyiqa",
    _pyiqa_lpips("alex"),
    _kept_by_pyiqa("LPIPS_v0.1_alex-df73285e.pth", "lpips_models/alex.pth"),
)
LPIPS_VGG = WeightsFile(
    "LPIPS_v0.1_vgg-a78928a0.pth",
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    "pyiqa",
    _pyiqa_lpips("vgg"),
    _kept_by_pyiqa("LPIPS_v0.1_vgg-a78928a0.pth", "lpips_models/vgg.pth"),
)
DISTS = WeightsFile(
    "DISTS_weights-f5e65c96.pth",
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    "pyiqa",
    _pyiqa_dists,
    _kept_by_pyiqa("DISTS_weights-f5e65c96.pth", "dists_models/weights.pt"),
)
FILES = (ALEXNET, VGG16, INCEPTION, INCEPTION_SCRIPT, CLIP_B32, LPIPS_ALEX, LPIPS_VGG, DISTS)
"""All published files."""


UNREADABLE = (OSError, RuntimeError, ValueError, LookupError, EOFError, TypeError, AttributeError, UnpicklingError)
"""Errors that libraries raise for a truncated or wrong file."""


class MissingWeights(IGRError):
    """A metric's network is missing; the message names the file and its folder."""


class WeightsFolder:
    """A torch hub folder with files in `checkpoints/`."""

    def __init__(self, folder: Path | None) -> None:
        """Use `folder`, or the libraries' own caches if it is None; raises IGRError if the folder does not exist."""
        if folder is not None and not folder.is_dir():
            raise IGRError(
                f"{folder} is not a folder: specify the folder whose checkpoints/ contains the metrics' weights."
            )
        self.folder = folder if folder is not None else Path(torch.hub.get_dir())
        """Folder of the files."""
        self._own = folder is None

    def path(self, file: WeightsFile) -> Path:
        """Path of a file; raises MissingWeights if it does not exist."""
        for path in (self.folder / "checkpoints" / file.name, *(file.elsewhere if self._own else ())):
            if path.is_file():
                return path
        raise MissingWeights(
            f"{file.name} is missing from checkpoints/ of the weights folder: run `python -m training evaluate "
            "weights` to see where it is published."
        )

    def sha256(self, file: WeightsFile) -> str:
        """Hash of an existing file."""
        return file_sha256(self.path(file))

    def published(self, file: WeightsFile) -> bool:
        """Whether an existing file has the published content."""
        return self.sha256(file).startswith(file.sha256)

    def listing(self) -> list[str]:
        """Three lines for each file: whether it exists, its published hash, and its address."""
        lines = []
        for file in FILES:
            try:
                state = "exists" if self.published(file) else "exists, but is not the published file"
            except MissingWeights:
                state = "missing"
            try:
                address = file.address()
            except ImportError:
                address = f"pip install {file.library} to see where it is published"
            lines += [f"{file.name}: {state}", f"    sha256 {file.sha256}", f"    {address}"]
        return lines

    @contextmanager
    def as_hub(self) -> Iterator[None]:
        """Context in which libraries that load from torch's hub find the files in this folder."""
        before = torch.hub.get_dir()
        torch.hub.set_dir(str(self.folder))
        try:
            yield
        finally:
            torch.hub.set_dir(before)


def file_sha256(path: Path) -> str:
    """Hash of a file, cached until the file changes."""
    return _sha256(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, changed: int) -> str:
    return sha256(path)
