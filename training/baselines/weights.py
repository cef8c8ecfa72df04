"""Published files of the methods: where they are published, under which licence, and the networks made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.json_text import read_json
from igr_core.model.networks import build_vae

from ..bundles.published import Tensors, fitted, read_vae

HUB = "https://huggingface.co"
AGAIN = "download the file again"

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Repository:
    """A repository with published weights."""

    name: str
    """Name on the Hugging Face Hub."""
    licence: str
    """Licence of the weights, as published."""

    @property
    def address(self) -> str:
        """Where to get the files."""
        return f"{HUB}/{self.name}"


@dataclass(frozen=True)
class Published:
    """A published file."""

    path: str
    """Path in the weights folder: the path in the repository, below a folder with the repository's name if the file
    belongs to a model that others use too."""
    repository: Repository
    """Where the file is published."""
    others: tuple[str, ...] = ()
    """Other files with the same weights, tried in this order if the first does not exist."""


OPENRAIL = "CreativeML OpenRAIL-M"
SD_1_4 = Repository("CompVis/stable-diffusion-v1-4", OPENRAIL)
SD_INPAINTING = Repository("stable-diffusion-v1-5/stable-diffusion-inpainting", OPENRAIL)
SD_VAE = Repository("stabilityai/sd-vae-ft-mse", "MIT")
SIGLIP = Repository("google/siglip-base-patch16-512", "Apache-2.0")
TRYOFFDIFF = Repository(
    "rizavelioglu/tryoffdiff",
    "Server Side Public License (SSPL), intended solely for academic research; commercial use requires the full source "
    "code to be open",
)
TRYOFFANYONE = Repository("ixarchakos/tryOffAnyone", "Server Side Public License (SSPL); its code has no licence")
RMBG = Repository("briaai/RMBG-1.4", "bria-rmbg-1.4, for non-commercial use only")
SEGFORMER = Repository("sayeed99/segformer_b3_clothes", "MIT")


def model_folder(repository: Repository, *parts: str) -> str:
    """The folder of a repository's files in the weights folder: its name without the owner, and `parts` below it."""
    return "/".join((repository.name.rpartition("/")[2], *parts))


def find(folder: Path, files: Sequence[Published]) -> dict[Published, Path]:
    """Path of each file in the weights folder.

    Raises IGRError naming the first missing file, its address and its licence, and all other missing files.
    """
    if not folder.is_dir():
        raise IGRError(f"{folder} is not a folder: specify the folder that contains {files[0].path}.")
    found: dict[Published, Path] = {}
    missing: list[Published] = []
    for file in files:
        paths = [folder / name for name in (file.path, *file.others)]
        existing = next((path for path in paths if path.is_file()), None)
        if existing is None:
            missing.append(file)
        else:
            found[file] = existing
    if missing:
        first, *rest = missing
        more = f"; also missing: {', '.join(file.path for file in rest)}" if rest else ""
        raise IGRError(
            f"{folder / first.path} does not exist: download it from {first.repository.address} "
            f"({first.repository.licence}){more}."
        )
    return found


def terms(files: Iterable[Published]) -> list[str]:
    """A line for each repository that the files come from, with its licence."""
    repositories = dict.fromkeys(file.repository for file in files)
    return [f"{one.address}: {one.licence}" for one in repositories]


def hashes(found: Mapping[Published, Path]) -> dict[str, str]:
    """The first digits of each file's SHA-256, by its path in the weights folder."""
    return {file.path: sha256(path)[:16] for file, path in found.items()}


def filled(net: Net, tensors: Tensors, path: Path, dtype: torch.dtype = torch.float32) -> Net:
    """Fill a network on the meta device with its tensors, in evaluation mode; raises IGRError naming a missing
    tensor."""
    net.load_state_dict(fitted(net, tensors, path, dtype), assign=True)
    return net.eval().requires_grad_(False)


def load_vae(weights: Path, dtype: torch.dtype = torch.float32) -> Any:
    """The autoencoder (diffusers' AutoencoderKL) in the folder of a weight file; raises IGRError as read_vae does."""
    tensors, config = read_vae(weights.parent)
    with torch.device("meta"):
        net = build_vae(config)
    return filled(net, tensors, weights, dtype)


def load_scheduler(kind: Any, path: Path, **changes: Any) -> Any:
    """A diffusers scheduler of class `kind` with the settings in a published scheduler_config.json, and `changes`."""
    config = read_json(path, AGAIN)
    try:
        return kind.from_config(config, **changes)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise IGRError(f"{path} does not describe a noise schedule ({error}): {AGAIN}.") from error
