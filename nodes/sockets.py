"""The pack's own socket types; everything else uses ComfyUI's native types."""

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
EvidenceSocket = io.Custom("IGR_EVIDENCE")
FlatSocket = io.Custom("IGR_FLAT")
ParserSocket = io.Custom("IGR_PARSER")
SegmenterSocket = io.Custom("IGR_SEGMENTER")
BoxSocket = io.Custom("BOUNDING_BOX")
"""ComfyUI's own type, by name, because older versions do not define it."""


@dataclass(frozen=True)
class Adapter:
    """The parts of a bundle other than the denoiser; ComfyUI manages the memory of its networks."""

    info: BundleInfo
    """Header of the bundle."""
    garmnet: Any | None
    """ModelPatcher of GarmNet; None if the bundle has no GarmNet."""
    image_prompt: Any | None
    """ModelPatcher of the image-prompt layers; None if the bundle has no image prompt."""
    image_encoder: Any | None
    """ComfyUI's ClipVisionModel; None if there is no image prompt."""
    prompts: dict[str, Tensor]
    """Text embeddings (T, C) of upper, lower, full and empty."""
    vae_weights: Tensor | None
    """Weights that identify the VAE, as networks.encoder_weights returns them."""
    key: str
    """Bundle.key of the bundle."""

    @property
    def config(self) -> ModelConfig:
        """Config of every part of the bundle."""
        return self.info.model
