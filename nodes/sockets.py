"""What travels over the pack's own sockets. Everything else travels as ComfyUI's native types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..igr_core.model.bundle import BundleInfo
from ..igr_core.model.config import ModelConfig

AdapterSocket = io.Custom("IGR_ADAPTER")
ViewSocket = io.Custom("IGR_VIEW")
ReferenceSocket = io.Custom("IGR_REFERENCE")
ParserSocket = io.Custom("IGR_PARSER")
SegmenterSocket = io.Custom("IGR_SEGMENTER")
BoxSocket = io.Custom("BOUNDING_BOX")
"""ComfyUI's own type, by its name: hosts before it have nothing to connect."""


@dataclass(frozen=True)
class Adapter:
    """What a bundle holds beside the denoiser, each network under the host's memory management."""

    info: BundleInfo
    """The bundle's own description."""
    garmnet: Any | None
    """ModelPatcher of GarmNet; None in a bundle without it."""
    image_prompt: Any | None
    """ModelPatcher of the image-prompt layers; None in a bundle without them."""
    image_encoder: Any | None
    """The host's ClipVisionModel; None where there is no image prompt."""
    prompts: dict[str, Tensor]
    """Text embeddings (T, C) of upper, lower, full and empty."""

    @property
    def config(self) -> ModelConfig:
        """Configs of every part of the bundle."""
        return self.info.model
