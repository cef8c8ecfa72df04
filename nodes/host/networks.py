"""A bundle's networks as ComfyUI models: denoiser and GarmNet, VAE, CLIP vision model, image-prompt layers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import comfy.clip_vision
import comfy.diffusers_convert
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from torch import Tensor, nn

from ...igr_core.errors import IGRError
from ...igr_core.model.config import ImageEncoderConfig, ModelConfig, NoiseConfig, UNetConfig, VAEConfig
from ...igr_core.model.image_prompt import ImagePrompt
from ...igr_core.sampling.schedule import alphas_cumprod

_SAME_ENCODER = 0.02
"""Copies of an encoder's weights differ by less than this fraction of their norm, whatever their precision."""
ALMOST_NO_SIGNAL = 4.8973451890853435e-08
"""ComfyUI's replacement for a signal fraction of 0, which has no finite sigma."""


class IGRModelConfig(comfy.supported_models.SD15):
    """ComfyUI's model config for a bundle's denoiser or GarmNet: the SD1.5 family with the bundle's sizes."""

    def __init__(self, config: ModelConfig, unet: UNetConfig) -> None:
        self.noise = config.noise
        self.shape = unet
        self.key = ""
        """Bundle.key of the bundle; empty for GarmNet."""
        super().__init__(host_unet_config(unet))
        by_width = unet.attention_head_width is not None
        self.unet_config["num_heads"] = -1 if by_width else unet.attention_heads
        self.unet_config["num_head_channels"] = unet.attention_head_width if by_width else -1
        self.latent_format = comfy.latent_formats.SD15(config.vae.scaling_factor)
        self.latent_format.latent_channels = config.vae.latent_channels

    def model_type(self, state_dict: dict[str, Tensor], prefix: str = "") -> Any:
        """Prediction target of the denoiser."""
        by_velocity = self.noise.prediction_type == "v_prediction"
        return comfy.model_base.ModelType.V_PREDICTION if by_velocity else comfy.model_base.ModelType.EPS

    def inpaint_model(self) -> bool:
        """False, because GarmNet's fifth channel is the garment mask, not ComfyUI's inpainting input."""
        return False

    def get_model(self, state_dict: dict[str, Tensor], prefix: str = "", device: Any = None) -> Any:
        """ComfyUI's model, with the sigmas of igr_core.sampling.schedule."""
        model = super().get_model(state_dict, prefix, device)
        model.model_sampling.set_sigmas(noise_sigmas(self.noise))
        return model


def noise_sigmas(config: NoiseConfig) -> Tensor:
    """ComfyUI's sigma of every timestep, (train_steps,), ascending."""
    alphas = alphas_cumprod(config).clamp_min(ALMOST_NO_SIGNAL)
    return ((1 - alphas) / alphas).sqrt()


def load_unet(config: ModelConfig, unet: UNetConfig, tensors: dict[str, Tensor], label: str) -> Any:
    """Load a denoiser or GarmNet as a ModelPatcher; tensors may have diffusers' or Stable Diffusion's names.

    Raises IGRError naming `label` if tensors are missing or unexpected.
    """
    management = comfy.model_management
    device, offload_device = management.get_torch_device(), management.unet_offload_device()
    host_config = IGRModelConfig(config, unet)
    tensors = _to_host_names(tensors, host_config.unet_config, label)
    kinds = host_config.supported_inference_dtypes
    dtype = management.unet_dtype(
        model_params=comfy.utils.calculate_parameters(tensors),
        supported_dtypes=kinds,
        weight_dtype=comfy.utils.weight_dtype(tensors),
    )
    host_config.set_inference_dtype(dtype, management.unet_manual_cast(dtype, device, kinds))
    model = host_config.get_model(tensors)
    _check_names(model.diffusion_model, tensors, label)
    patcher = _patcher(model, device, offload_device)
    if not management.is_device_cpu(offload_device):
        model.to(offload_device)
    model.load_model_weights(tensors, "", **({"assign": True} if _is_dynamic(patcher) else {}))
    return patcher


def load_vae(config: VAEConfig, tensors: dict[str, Tensor], label: str) -> Any:
    """Load the bundle's autoencoder as ComfyUI's VAE.

    Raises IGRError for unsupported widths, or naming `label` if tensors are missing or have the wrong shape.
    """
    first = config.block_out_channels[0]
    if len(config.block_out_channels) != 4 or any(width % first for width in config.block_out_channels):
        raise IGRError(
            f"ComfyUI cannot run a VAE with widths {config.block_out_channels}: connect an SD1.5 VAE to IGR Load."
        )
    shape = {
        "double_z": True,
        "z_channels": config.latent_channels,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": first,
        "ch_mult": [width // first for width in config.block_out_channels],
        "num_res_blocks": config.layers_per_block,
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    host_config = {"params": {"ddconfig": shape, "embed_dim": config.latent_channels}}
    with _as_damage(label):
        vae = comfy.sd.VAE(sd=dict(tensors), config=host_config)
        vae.throw_exception_if_invalid()
        vae.latent_channels = config.latent_channels  # the host only detects it if no config is given
        by_diffusers = any(name.startswith("decoder.up_blocks.") for name in tensors)
        known = comfy.diffusers_convert.convert_vae_state_dict(dict(tensors)) if by_diffusers else tensors
    _check_names(vae.first_stage_model, known, label)
    return vae


def load_image_encoder(config: ImageEncoderConfig, tensors: dict[str, Tensor], label: str) -> Any:
    """Load the bundle's CLIP vision tower as ComfyUI's ClipVisionModel.

    Raises IGRError naming `label` if tensors are missing or have the wrong shape.
    """
    shape = {
        "model_type": "clip_vision_model",
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "image_size": config.image_size,
        "patch_size": config.patch_size,
        "projection_dim": config.projection_dim,
        "hidden_act": config.hidden_act,
        "num_channels": 3,
        "layer_norm_eps": 1e-5,
    }
    with tempfile.TemporaryDirectory() as folder:  # older versions of ComfyUI only read the config from a file
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(shape), encoding="utf-8")
        encoder = comfy.clip_vision.ClipVisionModel(str(path))
    with _as_damage(label):
        missing, _ = encoder.load_sd(tensors)
    if missing:
        raise IGRError(f"The {label} is missing {missing[0]}: export the bundle again.")
    return encoder


def load_image_prompt(module: ImagePrompt, denoiser: Any) -> Any:
    """Wrap the image-prompt layers in a ModelPatcher, in the denoiser's precision."""
    module.to(inference_dtype(denoiser.model))
    management = comfy.model_management
    return comfy.model_patcher.ModelPatcher(module.eval(), management.get_torch_device(), torch.device("cpu"))


def inference_dtype(model: Any) -> torch.dtype:
    """The dtype in which a model computes: its weights' dtype, unless the device requires another one."""
    return model.get_dtype() if model.manual_cast_dtype is None else model.manual_cast_dtype


def check_denoiser(model: Any, config: ModelConfig | None = None, key: str = "") -> None:
    """Raise IGRError if a MODEL is not an IGR denoiser, or not the one from the bundle with this config and key."""
    known = getattr(model.model, "model_config", None)
    if not isinstance(known, IGRModelConfig):
        raise IGRError("This MODEL is not an IGR denoiser: connect the model from IGR Load.")
    if config is not None and (known.shape, known.noise, known.key) != (config.denoiser, config.noise, key):
        raise IGRError("The model and the reference come from different bundles: use the same IGR Load for both.")


def check_vae(vae: Any, config: VAEConfig, weights: Tensor | None = None) -> None:
    """Raise IGRError if a VAE's latents do not match the bundle's, or its encoder is not the one with `weights`."""
    channels, downscale = vae.latent_channels, getattr(vae, "downscale_ratio", config.downscale)
    if channels != config.latent_channels or (isinstance(downscale, int) and downscale != config.downscale):
        raise IGRError(
            f"The VAE has {channels} latent channels, but the bundle needs {config.latent_channels} at 1/"
            f"{config.downscale} size: connect an SD1.5 VAE."
        )
    if weights is not None and not is_same_encoder(vae, weights):
        raise IGRError("The VAE comes from another bundle: connect the VAE of the IGR Load whose adapter is used.")


def is_same_encoder(vae: Any, weights: Tensor) -> bool:
    """Whether a VAE's encoder may be the one with `weights`, as encoder_weights returns them."""
    own = encoder_weights(vae)
    if own is None:
        return True
    return own.shape == weights.shape and float((own - weights).norm()) <= _SAME_ENCODER * float(weights.norm())


def encoder_weights(vae: Any) -> Tensor | None:
    """First convolution of a VAE's encoder in float32, to distinguish VAEs; None for another layout."""
    try:
        weight = vae.first_stage_model.encoder.conv_in.weight
    except AttributeError:
        return None
    return weight.detach().float().cpu().clone()


def check_image_encoder(encoder: Any, config: ImageEncoderConfig) -> None:
    """Raise IGRError if a CLIP vision model does not match the one that the bundle was trained with."""
    weights = encoder.get_sd()
    given = tuple(weights["visual_projection.weight"].shape) if "visual_projection.weight" in weights else None
    wanted = (config.projection_dim, config.hidden_size)
    if given != wanted:
        kind = f"has width {given[1]} and embedding size {given[0]}" if given else "belongs to another model family"
        raise IGRError(
            f"The CLIP vision model {kind}, but the bundle was trained with width {wanted[1]} and embedding size "
            f"{wanted[0]}: load the model that the bundle names."
        )
    if encoder.image_size != config.image_size:
        raise IGRError(
            f"The CLIP vision model expects images of {encoder.image_size} pixels, but the bundle was trained with "
            f"{config.image_size}: load the model that the bundle names."
        )


def host_unet_config(unet: UNetConfig) -> dict[str, Any]:
    """A UNetConfig as ComfyUI's UNet config; raises IGRError for unsupported widths."""
    first, layers = unet.block_out_channels[0], unet.layers_per_block
    if any(width % first for width in unet.block_out_channels):
        raise IGRError(
            f"ComfyUI cannot run a UNet with widths {unet.block_out_channels}: they must be multiples of {first}."
        )
    return {
        "image_size": 32,
        "in_channels": unet.in_channels,
        "out_channels": unet.out_channels,
        "model_channels": first,
        "num_res_blocks": [layers] * len(unet.block_out_channels),
        "channel_mult": [width // first for width in unet.block_out_channels],
        "transformer_depth": [int(attends) for attends in unet.attention_levels for _ in range(layers)],
        "transformer_depth_output": [int(attends) for attends in unet.attention_levels for _ in range(layers + 1)],
        "transformer_depth_middle": 1,
        "use_spatial_transformer": True,
        "use_linear_in_transformer": False,
        "use_temporal_attention": False,
        "use_temporal_resblock": False,
        "adm_in_channels": None,
        "legacy": False,
        "context_dim": unet.cross_attention_dim,
    }


def _to_host_names(tensors: dict[str, Tensor], unet_config: dict[str, Any], label: str) -> dict[str, Tensor]:
    if any(name.startswith("input_blocks.") for name in tensors):
        return dict(tensors)
    names = comfy.utils.unet_to_diffusers(unet_config)
    foreign = sorted(set(tensors) - set(names))
    if foreign:
        raise IGRError(f"The {label} has the unexpected tensor {foreign[0]}: export the bundle again.")
    return {names[name]: value for name, value in tensors.items()}


@contextmanager
def _as_damage(label: str) -> Iterator[None]:
    """Turn ComfyUI's errors about tensors into an IGRError; other errors, such as out of memory, are not caught."""
    try:
        yield
    except (RuntimeError, KeyError) as error:
        text = str(error)
        if isinstance(error, RuntimeError) and "size mismatch" not in text and "invalid" not in text:
            raise
        reason = text.strip().split("\n")[-1].strip()
        raise IGRError(f"The {label} does not match its config ({reason}): export the bundle again.") from error


def _check_names(module: nn.Module, tensors: dict[str, Tensor], label: str) -> None:
    for name, value in module.state_dict().items():
        if name not in tensors:
            raise IGRError(f"The {label} is missing {name}: export the bundle again.")
        if tensors[name].shape != value.shape:
            raise IGRError(
                f"The {label} has {name} in shape {tuple(tensors[name].shape)} instead of {tuple(value.shape)}: "
                "export the bundle again."
            )


def _patcher(model: Any, device: Any, offload_device: Any) -> Any:
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return kind(model, load_device=device, offload_device=offload_device)


def _is_dynamic(patcher: Any) -> bool:
    return hasattr(patcher, "is_dynamic") and patcher.is_dynamic()
