"""Masks saved by a graph, and the difference between two of them."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.support.host.server import Graph, Server


def mask_of(server: Server, graph: Graph) -> torch.Tensor:
    """Run a graph and return its masks (B, 1, H, W) of 0 and 1."""
    return saved_masks(server, server.run(graph)["outputs"])


def saved_masks(server: Server, outputs: dict[str, Any]) -> torch.Tensor:
    """The masks (B, 1, H, W) that a run has saved."""
    listed = outputs["saved"]["images"]
    files = [server.base / "output" / one["subfolder"] / one["filename"] for one in listed]
    return torch.stack([torch.from_numpy(np.array(Image.open(file).convert("L")))[None] / 255 for file in files])


def differing(one: torch.Tensor, other: torch.Tensor) -> float:
    """Fraction of the pixels that differ: logits close to 0 may have either sign."""
    assert one.shape == other.shape
    return float((one != other).float().mean())
