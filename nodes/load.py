"""IGR Load: load a bundle as ComfyUI's MODEL and VAE, and the adapter that encodes photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from comfy_api.latest import io

from ..igr_core.errors import IGRError
from ..igr_core.model.bundle import Bundle
from ..igr_core.model.config import ModelConfig
from ..igr_core.model.image_prompt import ImagePrompt
from .host import networks
from .host.folders import BUNDLES
from .host.ui import fit_preview
from .schema import schema
from .sockets import Adapter, AdapterSocket


class IGRLoad(io.ComfyNode):
    """Load a bundle."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRLoad",
            display_name="IGR Load",
            description="Loads an IGR bundle: one file with the denoiser, GarmNet, the image prompt and the category "
            "prompts. igr-small comes with the pack; it was trained on drawn and rendered people.",
            search_aliases=[
                "garment restoration model",
                "garment model",
                "igr checkpoint",
                "load bundle",
                "vtoff",
            ],
            inputs=[
                io.Combo.Input(
                    "bundle",
                    options=BUNDLES.names(),
                    default=BUNDLES.included_name,
                    tooltip="A .safetensors bundle in models/igr, or igr-small, which comes with the pack.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="SD1.5 VAE, for a bundle without one. If connected, it replaces the bundle's own VAE, "
                    "whose encoder it must have.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="CLIP vision model, for a bundle without one: use the model that the bundle names (usually "
                    "CLIP-ViT-H-14). If connected, it replaces the bundle's own.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The denoiser. Connect it to IGR Apply, directly or through LoRA loaders.",
                ),
                AdapterSocket.Output(
                    display_name="adapter",
                    tooltip="The networks that encode photos. Connect to GarmNet Encode and Garment Mask/Crop.",
                ),
                io.Vae.Output(
                    display_name="vae", tooltip="The bundle's VAE. Connect it to GarmNet Encode and VAE Decode."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, bundle: str, **_: Any) -> str:
        """Run again if the file has changed."""
        state = BUNDLES.path(bundle).stat()
        return f"{bundle}:{state.st_size}:{state.st_mtime_ns}"

    @classmethod
    def execute(cls, bundle: str, vae: Any = None, clip_vision: Any = None) -> io.NodeOutput:
        """Load the parts of a bundle."""
        return io.NodeOutput(*load_bundle(BUNDLES.path(bundle), vae, clip_vision))


def load_bundle(path: Path, vae: Any = None, clip_vision: Any = None) -> tuple[Any, Adapter, Any]:
    """Load the MODEL, adapter and VAE from a bundle; the header is checked before any weights are read.

    Raises IGRError naming the file if it is missing, truncated, too new or not a bundle, or if a part is neither in the
    bundle nor connected.
    """
    bundle = Bundle.open(path)
    config = bundle.info.model
    _require(bundle, config, vae, clip_vision)
    bundle.check_sizes()
    if vae is not None:
        networks.check_vae(vae, config.vae)
        _check_own_vae(bundle, vae)
    if clip_vision is not None and config.image_prompt is not None:
        networks.check_image_encoder(clip_vision, config.image_encoder)
    denoiser = networks.load_unet(config, config.denoiser, bundle.tensors("denoiser"), f"denoiser in {path}")
    denoiser.model.model_config.key = key = bundle.key()
    garmnet = None
    if config.garmnet is not None:
        garmnet = networks.load_unet(config, config.garmnet, bundle.tensors("garmnet"), f"garmnet in {path}")
    image_prompt = None
    if config.image_prompt is not None:
        with torch.device("meta"):
            module = ImagePrompt(config.image_prompt, config.denoiser)
        bundle.load_into(module, "image_prompt")
        image_prompt = networks.load_image_prompt(module, denoiser)
        if clip_vision is None:
            clip_vision = networks.load_image_encoder(
                config.image_encoder, bundle.tensors("image_encoder"), f"image_encoder in {path}"
            )
    if vae is None:
        vae = networks.load_vae(config.vae, bundle.tensors("vae"), f"vae in {path}")
    fit_preview(denoiser, vae, config.vae)
    prompts = {name: value.float() for name, value in bundle.prompts().items()}
    encoder = clip_vision if image_prompt is not None else None
    own_vae = networks.encoder_weights(vae)
    return denoiser, Adapter(bundle.info, garmnet, image_prompt, encoder, prompts, own_vae, key), vae


def _check_own_vae(bundle: Bundle, vae: Any) -> None:
    """Raise IGRError if a connected VAE's encoder is not that of the VAE in the bundle, if it contains one."""
    own = bundle.tensors("vae").get("encoder.conv_in.weight") if bundle.has("vae") else None
    if own is not None and not networks.is_same_encoder(vae, own.float()):
        raise IGRError(f"The connected VAE is not the one in {bundle.path}, so colours would be wrong: disconnect it.")


def _require(bundle: Bundle, config: ModelConfig, vae: Any, clip_vision: Any) -> None:
    wants = [("vae", vae, "vae", bundle.info.expected_vae)]
    if config.image_prompt is not None:
        wants.append(("image_encoder", clip_vision, "clip_vision", bundle.info.expected_image_encoder))
    for part, given, socket, expected in wants:
        if given is None and not bundle.has(part):
            raise IGRError(
                f"{bundle.path} has no {part}: connect {expected or 'the one it was trained with'} to {socket}."
            )
