"""Files that the metric libraries' networks are read from: which, where they come from, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from igr_core.errors import IGRError
from igr_core.files import sha256


@dataclass(frozen=True)
class WeightsFile:
    """A published file of a metric's network."""

    name: str
    """File name, under `checkpoints/` of a torch hub folder."""
    sha256: str
    """The first digits of its SHA-256, as its publisher gives them; empty where it gives none."""
    url: str
    """Where it is published."""


ALEXNET = WeightsFile(
    "alexnet-owt-7be5be79.pth", "7be5be79", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
)
VGG16 = WeightsFile("vgg16-397923af.pth", "397923af", "https://download.pytorch.org/models/vgg16-397923af.pth")
INCEPTION = WeightsFile(
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)
INCEPTION_SCRIPT = WeightsFile(
    "inception-2015-12-05.pt",
    "",
    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
)
CLIP_B32 = WeightsFile(
    "ViT-B-32.pt",
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    "https://openaipublic.azureedge.net/clip/models/"
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
)
FILES = (ALEXNET, VGG16, INCEPTION, INCEPTION_SCRIPT, CLIP_B32)
"""All of them."""


class MissingWeights(IGRError):
    """A metric's network is not on this machine; its sentence says which file goes where."""


class WeightsFolder:
    """A torch hub folder: files lie in its `checkpoints/`."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` None is the libraries' own cache. Raises IGRError for a folder that is not there."""
        if folder is not None and not folder.is_dir():
            raise IGRError(f"{folder} is no folder: name the one whose checkpoints/ holds the metrics' weights.")
        self.folder = folder if folder is not None else Path(torch.hub.get_dir())

    def path(self, file: WeightsFile) -> Path:
        """Where a file lies; MissingWeights where it does not."""
        path = self.folder / "checkpoints" / file.name
        if not path.is_file():
            raise MissingWeights(f"{file.name} is missing from checkpoints/ of the weights folder: it is at {file.url}")
        return path

    def sha256(self, file: WeightsFile) -> str:
        """Hash of a file that is there."""
        return _sha256(self.path(file))

    def published(self, file: WeightsFile) -> bool:
        """Whether a file is the published one, as far as its publisher gives a hash."""
        return self.sha256(file).startswith(file.sha256)

    @contextmanager
    def as_hub(self) -> Iterator[None]:
        """Have libraries that load from torch's hub find the files here."""
        before = torch.hub.get_dir()
        torch.hub.set_dir(str(self.folder))
        try:
            yield
        finally:
            torch.hub.set_dir(before)


@lru_cache(maxsize=32)
def _sha256(path: Path) -> str:
    return sha256(path)
