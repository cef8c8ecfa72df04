"""RMBG-1.4, an IS-Net (arXiv 2203.03041) that finds an image's foreground, and code to paste images onto white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from igr_core.errors import IGRError

from ..bundles.published import read_weights
from .weights import AGAIN, RMBG, Published, filled, model_folder

FILE = Published(f"{model_folder(RMBG)}/model.safetensors", RMBG, (f"{model_folder(RMBG)}/model.pth",))
"""The published weights."""
INPUT = (1024, 1024)
"""Height and width of the network's input."""


class Unit(nn.Module):
    """Convolution, batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.conv_s1 = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
        self.bn_s1 = nn.BatchNorm2d(outputs)

    def forward(self, image: Tensor) -> Tensor:
        """Features with the image's height and width."""
        return F.relu(self.bn_s1(self.conv_s1(image)))


class ResidualU(nn.Module):
    """A small U-Net with a residual connection; without pooling, its dilation grows instead."""

    def __init__(self, depth: int, inputs: int, inner: int, outputs: int, pooled: bool = True) -> None:
        super().__init__()
        self.depth, self.pooled = depth, pooled
        self.rebnconvin = Unit(inputs, outputs, 1)
        for level in range(1, depth + 1):
            dilation = (2 if level == depth else 1) if pooled else 2 ** (level - 1)
            outer = outputs if level == 1 else inner
            self.add_module(f"rebnconv{level}", Unit(outer, inner, dilation))
            if level < depth:
                self.add_module(f"rebnconv{level}d", Unit(2 * inner, outer, dilation))

    def forward(self, image: Tensor) -> Tensor:
        """Features with the image's height and width."""
        entry = self.rebnconvin(image)
        levels, hidden = [], entry
        for level in range(1, self.depth + 1):
            if self.pooled and 1 < level < self.depth:
                hidden = _halved(hidden)
            hidden = self.get_submodule(f"rebnconv{level}")(hidden)
            levels.append(hidden)
        for level in range(self.depth - 1, 0, -1):
            beside = levels[level - 1]
            hidden = self.get_submodule(f"rebnconv{level}d")(torch.cat((_like(hidden, beside), beside), 1))
        return hidden + entry


class IsNet(nn.Module):
    """The network, without the outputs that are only used for training."""

    def __init__(self, width: int) -> None:
        """`width` is the number of channels of the first convolution; 64 in the published network."""
        super().__init__()
        half, quarter = width // 2, width // 4
        self.conv_in = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.stage1 = ResidualU(7, width, half, width)
        self.stage2 = ResidualU(6, width, half, 2 * width)
        self.stage3 = ResidualU(5, 2 * width, width, 4 * width)
        self.stage4 = ResidualU(4, 4 * width, 2 * width, 8 * width)
        self.stage5 = ResidualU(4, 8 * width, 4 * width, 8 * width, pooled=False)
        self.stage6 = ResidualU(4, 8 * width, 4 * width, 8 * width, pooled=False)
        self.stage5d = ResidualU(4, 16 * width, 4 * width, 8 * width, pooled=False)
        self.stage4d = ResidualU(4, 16 * width, 2 * width, 4 * width)
        self.stage3d = ResidualU(5, 8 * width, width, 2 * width)
        self.stage2d = ResidualU(6, 4 * width, half, width)
        self.stage1d = ResidualU(7, 2 * width, quarter, width)
        self.side1 = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Probability of the foreground (B, 1, H, W) for images (B, 3, H, W) in -0.5..0.5."""
        levels, hidden = [], self.conv_in(image)
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4, self.stage5, self.stage6):
            hidden = stage(_halved(hidden) if levels else hidden)
            levels.append(hidden)
        for stage, beside in zip(
            (self.stage5d, self.stage4d, self.stage3d, self.stage2d, self.stage1d), reversed(levels[:-1]), strict=True
        ):
            hidden = stage(torch.cat((_like(hidden, beside), beside), 1))
        return torch.sigmoid(_like(self.side1(hidden), image))


def read_isnet(path: Path) -> IsNet:
    """The network in a weight file, in float32; raises IGRError for a damaged file and for another network."""
    tensors = read_weights(path)
    entry = tensors.get("conv_in.weight")
    if entry is None or entry.ndim != 4:
        raise IGRError(f"{path} is not RMBG-1.4, because it lacks conv_in.weight: {AGAIN}.")
    with torch.device("meta"):
        net = IsNet(entry.shape[0])
    return filled(net, tensors, path)


@torch.no_grad()
def foreground(net: IsNet, image: Image.Image) -> Image.Image:
    """Foreground opacity (L) of an RGB image: the foreground probability, scaled so that it ranges from 0 to 255.

    Raises IGRError if the network returns NaN.
    """
    device = net.conv_in.weight.device
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float().to(device)  # (1, 3, H, W)
    found = net(F.interpolate(pixels, INPUT, mode="bilinear") / 255 - 0.5)
    found = F.interpolate(found, image.size[::-1], mode="bilinear")[0, 0]
    if not bool(torch.isfinite(found).all()):
        raise IGRError(f"RMBG-1.4 returned NaN or infinite values, so its weights are damaged: {AGAIN}.")
    low, high = found.min(), found.max()
    unit = (found - low) / (high - low) if bool(high > low) else torch.ones_like(found)
    return Image.fromarray((unit * 255).to(torch.uint8).cpu().numpy())


def on_white(image: Image.Image, opacity: Image.Image) -> Image.Image:
    """An RGB image pasted onto white with an opacity, RGB.

    The opacity is applied twice, first to black and then to white, so soft edges become darker than they should, as in
    the authors' code.
    """
    cut = Image.new("RGBA", image.size, (0, 0, 0, 0))
    cut.paste(image, mask=opacity)
    white = Image.new("RGBA", image.size, (255, 255, 255))
    white.paste(cut, (0, 0), mask=cut)
    return white.convert("RGB")


def _halved(image: Tensor) -> Tensor:
    return F.max_pool2d(image, 2, stride=2, ceil_mode=True)


def _like(image: Tensor, other: Tensor) -> Tensor:
    """An image resized to the height and width of another."""
    return image if image.shape[2:] == other.shape[2:] else F.interpolate(image, other.shape[2:], mode="bilinear")
