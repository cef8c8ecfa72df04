"""What host tests compare with: the tiny bundle in this process, and values of the host's sockets."""

from __future__ import annotations

from typing import Any

import torch

from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.view import GarmentView, make_view
from igr_core.restore.restorer import GarmentRestorer
from tests.support.host.graphs import node
from tests.support.host.server import ROOT, Graph, Server

EXAMPLES = ROOT / "nodes" / "examples"


def view_of(restorer: GarmentRestorer, name: str) -> GarmentView:
    """The view of an example person in the restorer's size."""
    config = restorer.info.model
    photo, mask = load_photo(EXAMPLES / f"{name}.webp"), load_mask(EXAMPLES / f"{name}_mask.png")
    return make_view(photo, mask, config.native_size, config.view, config.image_encoder.image_size)


def values(server: Server, graph: Graph, **source: list[Any]) -> torch.Tensor:
    """The `image` (B, 3, H, W) or `mask` (B, 1, H, W) at an output of a graph."""
    return server.latents({**graph, "values": node("ProbeValues", **source)}, ["values", 0])
