"""Seeded random weights of the metrics' networks, under the published file names: real classes, nothing downloaded.

AlexNet, VGG-16 (its classifier is a single repeated 0, because no metric uses it) and torch-fidelity's Inception have
their true names and shapes. The two TorchScript files are small: CLIP has one narrow layer, whose width torch-fidelity
infers from its tensors, and clean-fid's Inception is replaced by a network of two layers with the same interface
(`layers`, 299x299 in, 2,048 features out), because the true 90 MB network would not test anything else.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from training.evaluation.metrics.weights import ALEXNET, CLIP_B32, INCEPTION, INCEPTION_SCRIPT, VGG16, WeightsFile

CLIP_FEATURES = 8
"""Features of the small CLIP."""


def write_weights(folder: Path, files: Iterable[WeightsFile], seed: int = 0) -> Path:
    """A torch hub folder with random weights of these files in its checkpoints/."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    for file in files:
        torch.manual_seed(seed)
        _WRITERS[file](folder / "checkpoints" / file.name)
    return folder


def _write_alexnet(path: Path) -> None:
    from torchvision.models import alexnet

    _write_classifier(path, alexnet)


def _write_vgg16(path: Path) -> None:
    from torchvision.models import vgg16

    _write_classifier(path, vgg16)


def _write_classifier(path: Path, build: Callable[[], nn.Module]) -> None:
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build().state_dict().items()}
    zero = torch.zeros(1)
    torch.save(
        {name: _spread(shape) if name.startswith("features") else zero.expand(shape) for name, shape in shapes.items()},
        path,
    )


def _spread(shape: torch.Size) -> Tensor:
    """Random weights that preserve the size of activations; zeros for biases."""
    if len(shape) < 2:
        return torch.zeros(shape)
    return torch.randn(shape) * (2 / shape[1:].numel()) ** 0.5


def _write_inception(path: Path) -> None:
    shapes = _shapes_of_inception(path)
    noise, zero = torch.randn(1 << 21), torch.zeros(1)  # shared, so that the file is small
    tensors = {}
    for place, (name, shape) in enumerate(shapes.items()):
        if name.startswith("fc."):
            tensors[name] = zero.expand(shape)
        elif name.endswith("bn.weight"):  # replace the kernel's own scale by one that preserves the size of activations
            kernel = shapes[name.replace("bn.weight", "conv.weight")]
            tensors[name] = torch.full(shape, (2 / kernel[1:].numel()) ** 0.5)
        elif name.endswith("conv.weight"):
            start = place * 4001 % (noise.numel() - shape.numel())
            tensors[name] = noise[start : start + shape.numel()].view(shape)
        else:
            tensors[name] = torch.ones(shape) if name.endswith("running_var") else torch.zeros(shape)
    torch.save(tensors, path)


def _shapes_of_inception(path: Path) -> dict[str, torch.Size]:
    """Names and shapes of torch-fidelity's Inception, which cannot be built without reading a file."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unfilled(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: object, **__: object) -> None:
            pass

    torch.save({}, path)
    with torch.device("meta"):
        network = Unfilled("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    return {name: value.shape for name, value in network.state_dict().items()}


def _write_clip(path: Path) -> None:
    from torch_fidelity.feature_extractor_clip import CLIPVisual

    network = CLIPVisual(CLIP_FEATURES, 224, 1, 64, 32)
    holder = nn.Module()
    for name, value in network.state_dict().items():
        *parents, leaf = name.split(".")
        place = holder
        for parent in parents:
            if not hasattr(place, parent):
                place.add_module(parent, nn.Module())
            place = getattr(place, parent)
        place.register_parameter(leaf, nn.Parameter(value))
    holder.register_parameter("text_projection", nn.Parameter(torch.zeros(1, CLIP_FEATURES)))
    _save_script(path, holder)


class _Inception(nn.Module):
    """Clean-fid's interface of the true network."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(192, 2048), nn.ReLU())

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        return self.layers(x)


def _write_inception_script(path: Path) -> None:
    _save_script(path, _Inception())


def _save_script(path: Path, module: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        torch.jit.save(torch.jit.script(module), path)


_WRITERS: dict[WeightsFile, Callable[[Path], None]] = {
    ALEXNET: _write_alexnet,
    VGG16: _write_vgg16,
    INCEPTION: _write_inception,
    INCEPTION_SCRIPT: _write_inception_script,
    CLIP_B32: _write_clip,
}
