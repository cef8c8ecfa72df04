"""Everything that touches ComfyUI's internals: its UNet, VAE and CLIP vision classes, memory management, samplers.

The other files of this folder know only `comfy_api`. Over 400 lines, because a change inside ComfyUI should be
answered in one place.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.clip_vision
import comfy.diffusers_convert
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.sd
import comfy.supported_models
import comfy.utils
import folder_paths
import latent_preview
import torch
from aiohttp import web
from comfy.ldm.modules.attention import optimized_attention
from comfy.patcher_extension import CallbacksMP, WrappersMP
from comfy_api.latest import ui
from server import PromptServer
from torch import Tensor, nn
from tqdm.auto import trange

from ...igr_core.config import ImageEncoderConfig, ModelConfig, NoiseConfig, UNetConfig, VAEConfig
from ...igr_core.errors import IGRError
from ...igr_core.garmfus import Position, RowPlan, attend, image_prompt_attention, reference_self_attention
from ...igr_core.image_encoder import preprocess
from ...igr_core.image_prompt import ImagePrompt, cross_attention_widths
from ...igr_core.labels import LabelNames
from ...igr_core.noise import alphas_cumprod, ddim_step, ddim_timesteps
from ...igr_core.parsing import HumanParser
from ...igr_core.segmenter import Embedding, Prompt, Segmenter
from ..sockets import Reference

BUNDLE_FOLDER = "igr"
"""Name of the model folder; extra_model_paths.yaml may add more places under the same name."""
SEGMENTER_FOLDER = "sam2"
"""Name of the model folder that other packs keep SAM 2 in, too."""
PARSER_FOLDER = "human_parsing"
"""Name of the model folder for human parsers."""
PAPER_SCHEDULE = "ddim (paper)"
"""The timesteps of igr_core.noise, beside the host's own schedulers."""

TURN = threading.RLock()
"""Held by a thread while a segmenter works for it, in a graph or for a click.

The host's memory management is made for one thread, the one that runs graphs; clicks are answered in another. A click
therefore asks is_running() once it holds this, and gives up where a graph has begun; what works for the pack's nodes
goes through `_after_click` first, so that it neither meets a click under way nor a later one. What is left: other nodes
of a graph that begins within the seconds of a click may load their models beside the segmenter, and so may the host
when it frees memory by request.
"""

_ALMOST_NO_SIGNAL = 4.8973451890853435e-08
"""The host's stand-in for a signal share of 0, which has no finite sigma."""
_BYTES_PER_PIXEL = 1000
"""Memory that SAM 2 or a parser takes while it reads a picture, by the pixels that it sees: 1 GB at 1024×1024, a
generous guess."""
_BYTES_PER_LABELLED_PIXEL = 32
"""Memory of the photo itself and of its labels, by its own pixels."""
_KEY = "igr"
_POSITIVE = 0
"""The host's number of the positive conditioning in cond_or_uncond."""

logger = logging.getLogger(__name__)

Block = tuple[str, int, int]
"""A transformer block as the host calls it: part of the UNet, number in that part, number in the stack."""
Replacement = Callable[[Tensor, Tensor, Tensor, dict[str, Any]], Tensor]
"""An attention replacement of the host: query, key, value and the call's options -> output before to_out."""


# Folders ---------------------------------------------------------------------------------------------------------


def register_bundle_folder() -> None:
    """Make models/igr known to the host, for .safetensors files only."""
    _register(BUNDLE_FOLDER)


def register_segmenter_folder() -> None:
    """Make models/sam2 known to the host, for .safetensors files and folders that hold them."""
    _register(SEGMENTER_FOLDER)


def register_parser_folder() -> None:
    """Make models/human_parsing known to the host, for folders that hold .safetensors files."""
    _register(PARSER_FOLDER)


def _register(folder: str) -> None:
    """Make a model folder known, beside the places that extra_model_paths.yaml or another pack has given it."""
    places, suffixes = folder_paths.folder_names_and_paths.get(folder, ([], set()))
    default = str(Path(folder_paths.models_dir) / folder)
    places = places if default in places else [*places, default]
    folder_paths.folder_names_and_paths[folder] = (places, set(suffixes) | {".safetensors"})


def bundle_names() -> list[str]:
    """Names of the bundles in the model folders."""
    return folder_paths.get_filename_list(BUNDLE_FOLDER)


def bundle_path(name: str) -> Path:
    """Where a bundle lies; raises IGRError when it has gone."""
    path = folder_paths.get_full_path(BUNDLE_FOLDER, name)
    if path is None:
        raise IGRError(f"models/{BUNDLE_FOLDER} has no {name}: put the bundle there, or choose another one.")
    return Path(path)


def segmenter_names() -> list[str]:
    """Segmenters in the model folders: folders in transformers' layout, and single .safetensors files beside them."""
    folders, single = _models(SEGMENTER_FOLDER)
    return folders + single


def segmenter_path(name: str) -> Path:
    """Where a segmenter lies; raises IGRError when it has gone, and for every name that is not in the list."""
    if name in segmenter_names() and (path := _below(SEGMENTER_FOLDER, name)):
        return path
    raise IGRError(
        f"models/{SEGMENTER_FOLDER} has no {name}: put the SAM 2 folder or file there, or choose another one in IGR "
        "Load Segmenter."
    )


def parser_names() -> list[str]:
    """Human parsers in the model folders: folders in transformers' layout."""
    return _models(PARSER_FOLDER)[0]


def parser_path(name: str) -> Path:
    """Where a human parser lies; raises IGRError when it has gone, and for every name that is not in the list."""
    if name in parser_names() and (path := _below(PARSER_FOLDER, name)):
        return path
    raise IGRError(
        f"models/{PARSER_FOLDER} has no {name}: put the parser's folder there, or choose another one in IGR Load "
        "Parser."
    )


def _models(kind: str) -> tuple[list[str], list[str]]:
    """Names of the folders in transformers' layout in a model folder, and of the single .safetensors files."""
    files = [Path(name) for name in folder_paths.get_filename_list(kind) if name.endswith(".safetensors")]
    below = [name for name in files if name.parent != Path()]  # a stray config.json beside single files says nothing
    inside = [name for name in below if folder_paths.get_full_path(kind, str(name.parent / "config.json"))]
    folders = {name.parent.as_posix() for name in inside}
    single = {name.as_posix() for name in files if name not in inside}
    return sorted(folders), sorted(single)


def _below(kind: str, name: str) -> Path | None:
    """What lies under a name in a model folder, in the first of its places that has it."""
    paths = [Path(root) / name for root in folder_paths.get_folder_paths(kind)]
    return next((path for path in paths if path.exists()), None)


def picture_below(kind: str, subfolder: str, filename: str) -> Path | None:
    """A file of the host's input, output or temp folder, or None for one that is not there or lies elsewhere."""
    if kind not in ("input", "output", "temp"):
        return None
    try:
        root = Path(folder_paths.get_directory_by_type(kind)).resolve()
        path = (root / subfolder / filename).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError):  # names that no file can have
        return None


def input_root() -> Path:
    """The folder that users put photos into."""
    return Path(folder_paths.get_input_directory())


def output_root() -> Path:
    """The folder that Save Image writes below."""
    return Path(folder_paths.get_output_directory())


def _after_click() -> None:
    """Wait for a click under way to end; those that follow find that a graph is running."""
    with turn():
        pass


@contextmanager
def turn() -> Iterator[None]:
    """Hold TURN in a graph, which can be stopped while it waits for a click."""
    while not TURN.acquire(timeout=0.2):
        comfy.model_management.throw_exception_if_processing_interrupted()
    try:
        yield
    finally:
        TURN.release()


# Networks --------------------------------------------------------------------------------------------------------


class IGRModelConfig(comfy.supported_models.SD15):
    """The host's description of a bundle's denoiser or GarmNet: SD1.5's family with the bundle's own numbers."""

    def __init__(self, config: ModelConfig, unet: UNetConfig) -> None:
        self.noise = config.noise
        self.shape = unet
        super().__init__(_host_unet_config(unet))
        by_width = unet.attention_head_width is not None
        self.unet_config["num_heads"] = -1 if by_width else unet.attention_heads
        self.unet_config["num_head_channels"] = unet.attention_head_width if by_width else -1
        self.latent_format = comfy.latent_formats.SD15(config.vae.scaling_factor)

    def model_type(self, state_dict: dict[str, Tensor], prefix: str = "") -> Any:
        """What the denoiser predicts."""
        by_velocity = self.noise.prediction_type == "v_prediction"
        return comfy.model_base.ModelType.V_PREDICTION if by_velocity else comfy.model_base.ModelType.EPS

    def inpaint_model(self) -> bool:
        """GarmNet's fifth channel is the garment mask, not the host's inpainting input."""
        return False

    def get_model(self, state_dict: dict[str, Tensor], prefix: str = "", device: Any = None) -> Any:
        """The host's model, with the sigmas of igr_core.noise."""
        model = super().get_model(state_dict, prefix, device)
        model.model_sampling.set_sigmas(noise_sigmas(self.noise))
        return model


def noise_sigmas(config: NoiseConfig) -> Tensor:
    """The host's sigma of every timestep, (train_steps,), rising."""
    alphas = alphas_cumprod(config).clamp_min(_ALMOST_NO_SIGNAL)
    return ((1 - alphas) / alphas).sqrt()


def load_unet(config: ModelConfig, unet: UNetConfig, tensors: dict[str, Tensor], label: str) -> Any:
    """A denoiser or GarmNet as the host's ModelPatcher, from diffusers' or the host's own tensor names.

    Raises IGRError naming `label` when tensors are missing or foreign.
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
    """The bundle's autoencoder as the host's VAE.

    Raises IGRError for one that the host cannot build, and naming `label` when tensors are missing or misshapen.
    """
    first = config.block_out_channels[0]
    if len(config.block_out_channels) != 4 or any(width % first for width in config.block_out_channels):
        raise IGRError(f"ComfyUI cannot run a VAE of widths {config.block_out_channels}: give an SD1.5 VAE beside it.")
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
        by_diffusers = any(name.startswith("decoder.up_blocks.") for name in tensors)
        known = comfy.diffusers_convert.convert_vae_state_dict(dict(tensors)) if by_diffusers else tensors
    _check_names(vae.first_stage_model, known, label)
    return vae


def fit_preview(denoiser: Any, vae: Any, config: VAEConfig) -> None:
    """Teach the host's latent preview the colours of a VAE that is not SD1.5's, from one picture of 64 colours."""
    if config == VAEConfig():
        return
    f, side = config.downscale, 4  # each colour fills side x side latent cells, of which the middle ones are read
    levels = torch.linspace(0, 1, 4)
    colours = torch.cartesian_prod(levels, levels, levels)  # (64, 3)
    tiles = colours.view(8, 8, 3).repeat_interleave(side * f, 0).repeat_interleave(side * f, 1)
    latent = encode_picture(vae, tiles.movedim(-1, 0)[None], config).cpu()  # (1, 4, 8 * side, 8 * side)
    cells = latent[0].unflatten(1, (8, side)).unflatten(3, (8, side))[:, :, 1:-1, :, 1:-1].mean((2, 4))
    known = torch.cat([cells.flatten(1).T, torch.ones(64, 1)], 1)  # (64, 5)
    factors = torch.linalg.lstsq(known, colours * 2 - 1).solution
    latent_format = denoiser.model.latent_format
    latent_format.latent_rgb_factors = factors[:-1].tolist()
    latent_format.latent_rgb_factors_bias = factors[-1].tolist()
    latent_format.taesd_decoder_name = None


def load_image_encoder(config: ImageEncoderConfig, tensors: dict[str, Tensor], label: str) -> Any:
    """The bundle's CLIP vision tower as the host's ClipVisionModel.

    Raises IGRError naming `label` when tensors are missing or misshapen.
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
    with tempfile.TemporaryDirectory() as folder:  # older hosts read the config from a file only
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(shape), encoding="utf-8")
        encoder = comfy.clip_vision.ClipVisionModel(str(path))
    with _as_damage(label):
        missing, _ = encoder.load_sd(tensors)
    if missing:
        raise IGRError(f"The {label} lacks {missing[0]}: export the bundle again.")
    return encoder


def check_image_encoder(encoder: Any, config: ImageEncoderConfig) -> None:
    """Raise IGRError when a CLIP vision model is not the one that the bundle was trained with."""
    weights = encoder.get_sd()
    given = tuple(weights["visual_projection.weight"].shape) if "visual_projection.weight" in weights else None
    wanted = (config.projection_dim, config.hidden_size)
    if given != wanted:
        kind = f"{given[1]} wide with embeddings of {given[0]}" if given else "of another family"
        raise IGRError(
            f"The CLIP vision model is {kind}, but the bundle was trained with one {wanted[1]} wide with embeddings of "
            f"{wanted[0]}: load the one that the bundle names."
        )
    if encoder.image_size != config.image_size:
        raise IGRError(
            f"The CLIP vision model reads {encoder.image_size} pixels, but the bundle was trained with "
            f"{config.image_size}: load the one that the bundle names."
        )


def check_vae(vae: Any, config: VAEConfig) -> None:
    """Raise IGRError when a VAE's latents cannot be the bundle's."""
    channels, downscale = vae.latent_channels, getattr(vae, "downscale_ratio", config.downscale)
    if channels != config.latent_channels or (isinstance(downscale, int) and downscale != config.downscale):
        raise IGRError(
            f"The VAE has {channels} latent channels, but the bundle needs {config.latent_channels} at 1/"
            f"{config.downscale} size: load an SD1.5 VAE."
        )


def load_image_prompt(module: ImagePrompt, denoiser: Any) -> Any:
    """The image-prompt layers as a ModelPatcher, in the precision that the denoiser runs in."""
    module.to(_inference_dtype(denoiser.model))
    management = comfy.model_management
    return comfy.model_patcher.ModelPatcher(module.eval(), management.get_torch_device(), torch.device("cpu"))


def _host_unet_config(unet: UNetConfig) -> dict[str, Any]:
    """A UNetConfig in the host's words."""
    first, layers = unet.block_out_channels[0], unet.layers_per_block
    if any(width % first for width in unet.block_out_channels):
        raise IGRError(
            f"ComfyUI cannot run a UNet of widths {unet.block_out_channels}: they must be multiples of {first}."
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
    """Turn the host's complaints about tensors into one sentence; what else goes wrong comes through, as memory."""
    try:
        yield
    except (RuntimeError, KeyError) as error:
        text = str(error)
        if isinstance(error, RuntimeError) and "size mismatch" not in text and "invalid" not in text:
            raise
        reason = text.strip().split("\n")[-1].strip()
        raise IGRError(f"The {label} does not fit its config ({reason}): export the bundle again.") from error


def _check_names(module: nn.Module, tensors: dict[str, Tensor], label: str) -> None:
    for name, value in module.state_dict().items():
        if name not in tensors:
            raise IGRError(f"The {label} lacks {name}: export the bundle again.")
        if tensors[name].shape != value.shape:
            raise IGRError(
                f"The {label}'s {name} is {tuple(tensors[name].shape)} instead of {tuple(value.shape)}: "
                "export the bundle again."
            )


def _patcher(model: Any, device: Any, offload_device: Any) -> Any:
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return kind(model, load_device=device, offload_device=offload_device)


def _inference_dtype(model: Any) -> torch.dtype:
    """What a model computes in: its weights' dtype, or another where the device wants one."""
    return model.get_dtype() if model.manual_cast_dtype is None else model.manual_cast_dtype


def _is_dynamic(patcher: Any) -> bool:
    return hasattr(patcher, "is_dynamic") and patcher.is_dynamic()


# Reading the photo -----------------------------------------------------------------------------------------------


def encode_picture(vae: Any, picture: Tensor, config: VAEConfig) -> Tensor:
    """Pictures (B, 3, H, W) in 0..1 -> scaled latents (B, 4, H / f, W / f) in float32."""
    _after_click()
    return vae.encode(picture.movedim(1, -1)).float() * config.scaling_factor


def encode_crop(encoder: Any, crop: Tensor, layout: str) -> Tensor:
    """Crops p_g (B, 3, S, S) in 0..1 -> what the projection `layout` reads; not rounded to 8 bits as the host would."""
    _after_click()
    comfy.model_management.load_model_gpu(encoder.patcher)
    output = encoder.model(pixel_values=preprocess(crop.to(encoder.load_device)), intermediate_output=-2)
    return output[2] if layout == "linear" else output[1]


def encode_image_prompt(patcher: Any, features: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Image-encoder output -> keys and values (B, T, C) of every cross-attention, by block name.

    They lie where the host keeps what nodes hand on: in main memory, or on the GPU with --gpu-only.
    """
    _after_click()
    comfy.model_management.load_model_gpu(patcher)
    module: ImagePrompt = patcher.model
    weight = next(module.parameters())
    with torch.no_grad():
        pairs = module.keys_values(module(features.to(patcher.load_device, weight.dtype)))
    home = comfy.model_management.intermediate_device()
    return {name: (key.to(home), value.to(home)) for name, (key, value) in pairs.items()}


class _LastCaptured(Exception):
    """Ends a GarmNet pass where nothing that follows is read."""


def encode_reference(
    patcher: Any, config: ModelConfig, latent: Tensor, mask: Tensor, prompt: Tensor
) -> dict[str, Tensor]:
    """GarmNet once at t = 0 (paper, F_hl): reference features (B, N, C) by block name.

    They lie where the host keeps what nodes hand on: in main memory, or on the GPU with --gpu-only.
    latent (B, 4, h, w) scaled, mask (B, 1, h, w) in 0..1, prompt (1, T, C).
    """
    assert config.garmnet is not None
    home = comfy.model_management.intermediate_device()
    sample = torch.cat([latent, mask.to(latent)], dim=1)  # (B, 5, h, w)
    needed = patcher.model.memory_required(sample.shape)
    _after_click()
    comfy.model_management.load_models_gpu([patcher], memory_required=needed)
    names = {block: name for name, block in transformer_blocks(config.garmnet).items()}
    last = _last_block(names)
    position = _position(config, (sample.shape[2], sample.shape[3]))
    features: dict[str, Tensor] = {}

    def capture(hidden: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        block = (*options["block"], options["block_index"])
        features[names[block]] = hidden.to(home)
        if block == last:
            raise _LastCaptured
        located = hidden if position is None else hidden + position(hidden)
        return located, located, value

    dtype, device = _inference_dtype(patcher.model), patcher.load_device
    try:
        with torch.no_grad():
            patcher.model.diffusion_model(
                sample.to(device, dtype),
                torch.zeros(sample.shape[0], device=device),
                context=prompt.to(device, dtype).expand(sample.shape[0], -1, -1),
                transformer_options={"patches": {"attn1_patch": [capture]}},
            )
    except _LastCaptured:
        pass
    return features


def transformer_blocks(unet: UNetConfig) -> dict[str, Block]:
    """The host's name of every transformer block, by its diffusers name."""
    host_names = comfy.utils.unet_to_diffusers(_host_unet_config(unet))
    blocks: dict[str, Block] = {}
    for name in cross_attention_widths(unet):
        words = host_names[f"{name}.transformer_blocks.0.norm1.weight"].split(".")
        part = words[0].removesuffix("_blocks").removesuffix("_block")
        blocks[name] = (part, 0 if part == "middle" else int(words[1]), 0)
    return blocks


def _last_block(blocks: dict[Block, str]) -> Block:
    """The block that a forward pass meets last."""
    order = ("input", "middle", "output")
    return max(blocks, key=lambda block: (order.index(block[0]), block[1]))


def _position(config: ModelConfig, latent_shape: tuple[int, int]) -> Position | None:
    if config.reference_position == "none":
        return None
    return Position(latent_shape, config.reference_position_amplitude)


# Patching the denoiser -------------------------------------------------------------------------------------------


def check_denoiser(model: Any, config: ModelConfig | None = None) -> None:
    """Raise IGRError when a MODEL is no bundle's denoiser, or not of the same kind as `config`."""
    known = getattr(model.model, "model_config", None)
    if not isinstance(known, IGRModelConfig):
        raise IGRError("This MODEL is no IGR denoiser: connect the model that comes from IGR Load.")
    if config is not None and (known.shape, known.noise) != (config.denoiser, config.noise):
        raise IGRError("MODEL and reference come from different bundles: connect both to the same IGR Load.")


def apply_reference(
    model: Any,
    reference: Reference,
    strengths: dict[str, float],
    image_prompt_strength: float,
    start_percent: float,
    end_percent: float,
) -> Any:
    """A clone of `model` that attends to the reference between two moments of sampling; `model` stays as it was.

    `strengths` is the reference strength by block name. A reference that was applied before is replaced.
    """
    patched = model.clone()
    sampling = patched.get_model_object("model_sampling")
    moments = (sampling.percent_to_sigma(start_percent), sampling.percent_to_sigma(end_percent))
    fusion = GarmFusPatch(reference, strengths, image_prompt_strength, moments)
    patched.remove_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, _KEY)
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, _KEY, fusion)
    # The reference's keys and values depend on the denoiser's weights, which LoRAs and hooks change between runs.
    for moment in (CallbacksMP.ON_PRE_RUN, CallbacksMP.ON_APPLY_HOOKS, CallbacksMP.ON_CLEANUP):
        patched.remove_callbacks_with_key(moment, _KEY)
        patched.add_callback_with_key(moment, _KEY, fusion.forget)
    return patched


@dataclass(frozen=True)
class _Call:
    """One call of the denoiser."""

    plan: RowPlan
    """Which row sees which reference."""
    positive: list[bool]
    """Whether each of the conditionings that the host stacked is the positive one."""
    unet: Any
    """The host's UNet."""
    latent_shape: tuple[int, int]
    """Height and width of the latent."""


class GarmFusPatch:
    """GarmFus around one call of the host's UNet.

    The attention replacements are put in place for the call alone, over whatever other nodes have put there, earlier
    or later in the graph: theirs go on acting, and no MODEL is changed. Rows are chosen anew for every call, because
    the host decides then which conditionings it stacks.
    """

    def __init__(
        self,
        reference: Reference,
        strengths: dict[str, float],
        image_prompt_strength: float,
        moments: tuple[float, float],
    ) -> None:
        self.reference = reference
        self.strengths = {name: strength for name, strength in strengths.items() if strength != 0}
        self.image_prompt_strength = image_prompt_strength
        self.start_sigma, self.end_sigma = moments
        self.blocks = transformer_blocks(reference.config.denoiser)
        self._position = _position(reference.config, reference.latent_shape[2:])
        self._positions: dict[tuple[int, int], Position] = {}
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}
        self._negative: set[Any] = set()

    def forget(self, *_: Any) -> None:
        """Drop what is kept from step to step."""
        self._kept.clear()
        self._negative.clear()
        self._positions.clear()
        if self._position is not None:
            self._position.levels.clear()

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the UNet; args are the host's: x, timesteps, context, y, control, transformer_options."""
        args = list(args)
        latent: Tensor = args[0]
        options = kwargs.get("transformer_options") or args[5]
        positive = self._positive(options)
        plan = self._plan(positive, latent.shape[0])
        if not plan.referenced or not self._is_time(options):
            return executor(*args, **kwargs)
        patched = self._patched(options, _Call(plan, positive, executor.class_obj, (latent.shape[2], latent.shape[3])))
        if "transformer_options" in kwargs:
            kwargs["transformer_options"] = patched
        else:
            args[5] = patched
        return executor(*args, **kwargs)

    def _positive(self, options: dict[str, Any]) -> list[bool]:
        """Which of the conditionings that a call stacks are the positive one.

        Guidance nodes of other packs also call the UNet with the negative one alone, numbered as if it were positive:
        it is known by its id, which the sampler's own calls have shown before.
        """
        numbers = options["cond_or_uncond"]
        names = options.get("uuids") or [None] * len(numbers)
        self._negative |= {name for number, name in zip(numbers, names, strict=True) if number != _POSITIVE}
        return [
            number == _POSITIVE and (name is None or name not in self._negative)
            for number, name in zip(numbers, names, strict=True)
        ]

    def _plan(self, positive: list[bool], rows: int) -> RowPlan:
        """Which row of a call sees which reference: those of the positive conditioning, in the batch's order."""
        count, known = rows // len(positive), self.reference.latent_shape[0]
        if count % known:
            raise IGRError(
                f"The LATENT holds {count} pictures but the reference {known} photos: connect IGR Apply's latent, or "
                f"repeat it a whole number of times."
            )
        return RowPlan(tuple(row % known if chunk else -1 for chunk in positive for row in range(count)))

    def _is_time(self, options: dict[str, Any]) -> bool:
        sigma = float(options["sigmas"].flatten()[0])
        return self.end_sigma <= sigma <= self.start_sigma

    def _patched(self, options: dict[str, Any], call: _Call) -> dict[str, Any]:
        """The call's options with ours on top; the host's own dictionaries are not touched."""
        replaced = {kind: dict(blocks) for kind, blocks in options.get("patches_replace", {}).items()}
        patches = dict(options.get("patches", {}))
        own, image = replaced.setdefault("attn1", {}), replaced.setdefault("attn2", {})
        features = self.reference.features
        for name, block in self.blocks.items():
            if name in self.strengths and features:
                own[block] = self._self_attention(name, call, own.get(block) or own.get(block[:2]))
            if self.image_prompt_strength != 0 and self.reference.image_keys_values:
                image[block] = self._cross_attention(name, call, image.get(block) or image.get(block[:2]))
        if self._position is not None and self.strengths and features:
            patches["attn1_patch"] = [self._located(call), *patches.get("attn1_patch", [])]
        return {**options, "patches": patches, "patches_replace": replaced}

    def _located(self, call: _Call) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
        """Adds the position to the inputs of to_q and to_k in rows with a reference."""
        if call.latent_shape not in self._positions:
            position = Position(call.latent_shape, self.reference.config.reference_position_amplitude)
            self._positions[call.latent_shape] = position
        position = self._positions[call.latent_shape]
        active = {self.blocks[name] for name in self.strengths}

        def patch(hidden: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
            if (*options["block"], options["block_index"]) not in active:
                return hidden, key, value
            located = call.plan.by_rows(lambda rows: rows, lambda rows: rows + position(rows), hidden)
            return located, located, value

        return patch

    def _self_attention(self, name: str, call: _Call, inner: Replacement | None) -> Replacement:
        """Reference self-attention (Eq. 4) of one block, over another node's replacement where there is one."""
        strength = self.strengths[name]

        def replacement(query: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> Tensor:
            tiles = query.shape[0] // len(call.plan.source)
            if key.shape[0] != query.shape[0]:  # HyperTile cuts the queries into tiles and leaves the rest to the view
                key, value = (x.reshape(query.shape[0], -1, x.shape[-1]) for x in (key, value))
            rows = call.plan.repeated(tiles)
            attention = _Attention(inner, options, call.positive)

            def plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
                return attention(query, key, value, positive=False)

            def fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
                reference_key, reference_value = (rows.pick(x) for x in self._keys_values(name, call.unet, key))
                if inner is None:
                    return reference_self_attention(
                        query,
                        key,
                        value,
                        reference_key,
                        reference_value,
                        options["n_heads"],
                        strength,
                        attention.masked,
                    )
                # Concatenate, let the other node attend, keep the own half: it may give back as many tokens as it got.
                keys, values = torch.cat([reference_key, key], 1), torch.cat([reference_value, value], 1)
                out = attention(query, keys, values, positive=True)[:, -query.shape[1] :]
                if strength >= 1:  # more than all of the other node's attention would be no attention any more
                    return out
                return torch.lerp(attention(query, key, value, positive=True), out, strength)

            return rows.by_rows(plain, fused, query, key, value)

        return replacement

    def _cross_attention(self, name: str, call: _Call, inner: Replacement | None) -> Replacement:
        """Image-prompt cross-attention (Eq. 3) of one block, added to the text's or to another node's replacement."""
        pair = self.reference.image_keys_values[name]

        def replacement(query: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> Tensor:
            attention = _Attention(inner, options, call.positive)
            out = attention(query, key, value)
            image_key, image_value = (call.plan.pick(x.to(query)) for x in pair)

            def with_prompt(out: Tensor, query: Tensor) -> Tensor:
                return out + image_prompt_attention(
                    query, image_key, image_value, options["n_heads"], self.image_prompt_strength, attention.masked
                )

            return call.plan.by_rows(lambda out, query: out, with_prompt, out, query)

        return replacement

    def _keys_values(self, name: str, unet: Any, like: Tensor) -> tuple[Tensor, Tensor]:
        """Reference keys and values (R, N, C) by the denoiser's own projections, kept until the run ends."""
        if name not in self._kept:
            attention = _self_attention_layer(unet, self.blocks[name])
            features = self.reference.features[name].to(like)
            located = features if self._position is None else features + self._position(features)
            self._kept[name] = (attention.to_k(located), attention.to_v(features))
        return self._kept[name]


class _Attention:
    """Attention of one block as the rest of the graph wants it: the host's own, or another node's replacement."""

    def __init__(self, inner: Replacement | None, options: dict[str, Any], positive: list[bool]) -> None:
        self.inner = inner
        self.options = options
        self.positive = positive

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, positive: bool | None = None) -> Tensor:
        """Attend: (B, N, C), (B, M, C) x 2 -> (B, N, C); `positive` tells which rows these are, None means all."""
        options = self.options if positive is None else self._for_rows(positive)
        if self.inner is not None:
            return self.inner(query, key, value, options)
        precision = options.get("attn_precision")
        return optimized_attention(
            query, key, value, options["n_heads"], attn_precision=precision, transformer_options=options
        )

    def masked(self, query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None) -> Tensor:
        """garmfus.Attend by the host's attention; torch's with a mask, which not every one of the host's broadcasts."""
        if mask is not None:
            return attend(query, key, value, heads, mask)
        precision = self.options.get("attn_precision")
        return optimized_attention(query, key, value, heads, attn_precision=precision, transformer_options=self.options)

    def _for_rows(self, positive: bool) -> dict[str, Any]:
        """The options of a call that has only the positive rows, or only the others."""
        kept = [number for number, chunk in enumerate(self.positive) if chunk == positive]
        names = [name for name in ("cond_or_uncond", "uuids") if name in self.options]
        return {**self.options, **{name: [self.options[name][number] for number in kept] for name in names}}


def _self_attention_layer(unet: Any, block: Block) -> Any:
    part, number, index = block
    stack = unet.middle_block if part == "middle" else getattr(unet, f"{part}_blocks")[number]
    return stack[1].transformer_blocks[index].attn1


# Segmenting and parsing -----------------------------------------------------------------------------------------------


class _Network(nn.Module):
    """What the host moves about; transformers' own class does not let it note where it is."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


@dataclass(frozen=True)
class LoadedSegmenter:
    """A SAM 2 under the host's memory management."""

    key: str
    """Tells it from others, and from itself once its file has changed."""
    segmenter: Segmenter
    """The model and what it takes and gives."""
    patcher: Any
    """ModelPatcher of its network."""

    def embed(self, photo: Tensor) -> Embedding:
        """Run the vision encoder on a photo (1, 3, H, W); what it gives is in main memory, also with --gpu-only."""
        with self._at_work():
            found = self.segmenter.embed(photo)
        return Embedding(tuple(one.cpu() for one in found.features), found.size)

    def masks(self, embedding: Embedding, prompt: Prompt) -> tuple[Tensor, Tensor]:
        """Candidates (M, 1, H, W) and scores (M,), in main memory."""
        with self._at_work():
            features = tuple(one.to(self.segmenter.device) for one in embedding.features)
            masks, scores = self.segmenter.masks(Embedding(features, embedding.size), prompt)
        return masks.cpu(), scores.cpu()

    def _at_work(self) -> AbstractContextManager[None]:
        side = self.segmenter.model.prompt_encoder.input_image_size
        return _at_work(self.patcher, _BYTES_PER_PIXEL * side**2)


@dataclass(frozen=True)
class LoadedParser:
    """A human parser under the host's memory management."""

    parser: HumanParser
    """The model and what it takes and gives."""
    patcher: Any
    """ModelPatcher of its network."""

    @property
    def names(self) -> LabelNames:
        """What its labels mean."""
        return self.parser.names

    def parse(self, photo: Tensor) -> Tensor:
        """Label map (1, H, W) of a photo (1, 3, H, W) in 0..1, in main memory."""
        height, width = self.parser.takes.size
        needed = _BYTES_PER_PIXEL * height * width + _BYTES_PER_LABELLED_PIXEL * photo[0, 0].numel()
        with _at_work(self.patcher, needed):
            return self.parser.parse(photo).cpu()


@contextmanager
def _at_work(patcher: Any, needed: int) -> Iterator[None]:
    """Have a whole network of transformers on the host's device, with so many bytes beside it.

    Its layers are not the host's, which can run from elsewhere.
    """
    network, device = patcher.model, patcher.load_device
    _after_click()
    comfy.model_management.load_models_gpu([patcher], memory_required=needed, force_full_load=True)
    lent = any(one.device.type != device.type for one in (*network.parameters(), *network.buffers()))
    if lent:  # --novram leaves it where it was
        network.to(device)
    try:
        with torch.inference_mode():
            yield
    finally:
        if lent:
            network.to(patcher.offload_device)


def load_segmenter(path: Path, key: str) -> LoadedSegmenter:
    """A folder in transformers' layout, or a single file, as SAM 2; raises IGRError naming what is wrong."""
    with torch.inference_mode():  # as the host runs its nodes, so that both threads may move the weights
        segmenter = Segmenter.from_folder(path) if path.is_dir() else Segmenter.from_file(path)
    return LoadedSegmenter(key, segmenter, _managed(segmenter.model))


def load_parser(path: Path) -> LoadedParser:
    """A folder in transformers' layout as a human parser; raises IGRError naming what is wrong."""
    with torch.inference_mode():
        parser = HumanParser.from_folder(path)
    return LoadedParser(parser, _managed(parser.model))


def _managed(network: nn.Module) -> Any:
    """A network of transformers as the host's ModelPatcher."""
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(_Network(network), device, offload_device=torch.device("cpu"))


# Sampling --------------------------------------------------------------------------------------------------------


def sampler_names() -> list[str]:
    """The host's samplers, the paper's first."""
    return ["ddim", *(name for name in comfy.samplers.SAMPLER_NAMES if name != "ddim")]


def schedule_names() -> list[str]:
    """The paper's timesteps and the host's schedulers."""
    return [PAPER_SCHEDULE, *comfy.samplers.SCHEDULER_NAMES]


class _Ddim(comfy.samplers.KSAMPLER):
    """The paper's DDIM on the host's sigmas, by igr_core.noise: also exact where no signal is left (sigma infinite)."""

    def __init__(self, prediction_type: str) -> None:
        super().__init__(self._run)
        self.prediction_type = prediction_type

    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool:
        """DDIM starts from noise of full strength, at whatever timestep it starts."""
        return True

    def _run(
        self, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, disable: bool | None
    ) -> Tensor:
        scales = (1 + sigmas.double() ** 2).sqrt().tolist()  # the host's latent is this much larger than DDIM's
        signals = [scale**-2 if scale**-2 > 1.01 * _ALMOST_NO_SIGNAL else 0.0 for scale in scales]
        latent = x / scales[0]
        for i in trange(len(sigmas) - 1, disable=disable):
            sigma, noisy = float(sigmas[i]), latent * scales[i]
            clean = model(noisy, sigmas[i] * noisy.new_ones(noisy.shape[0]), **extra_args)
            callback({"x": noisy, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": clean})
            if self.prediction_type == "v_prediction":
                predicted = (latent - clean * scales[i]) / sigma
            else:
                predicted = (noisy - clean) / sigma
            latent, _ = ddim_step(latent, predicted, signals[i], signals[i + 1], self.prediction_type)
        return latent * scales[-1]


def sample(
    model: Any,
    noise: Tensor,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    *,
    seed: int,
    steps: int,
    guidance: float,
    sampler: str,
    schedule: str,
) -> Tensor:
    """Denoise float32 noise (B, 4, h, w) with the host's samplers: latents (B, 4, h, w) as LATENT holds them.

    Sampler ddim on the paper's schedule is igr_core.sampling.sample_ddim. Progress, preview and interrupts are the
    host's.
    """
    model_sampling, noise_config = model.get_model_object("model_sampling"), model.model.model_config.noise
    if schedule == PAPER_SCHEDULE:
        timesteps = ddim_timesteps(noise_config, steps)
        sigmas = torch.cat([model_sampling.sigmas[timesteps].cpu(), torch.zeros(1)])
    else:
        sigmas = comfy.samplers.calculate_sigmas(model_sampling, schedule, steps).cpu()
    _after_click()
    by_paper = sampler == "ddim" and schedule == PAPER_SCHEDULE
    method = _Ddim(noise_config.prediction_type) if by_paper else comfy.samplers.sampler_object(sampler)
    return comfy.sample.sample_custom(
        model,
        noise,
        guidance,
        method,
        sigmas,
        positive,
        negative,
        latent["samples"],
        noise_mask=latent.get("noise_mask"),
        callback=latent_preview.prepare_callback(model, len(sigmas) - 1),
        seed=seed,
    )


# What the user sees ----------------------------------------------------------------------------------------------


def progress(total: int) -> Callable[[int], None]:
    """A function that shows in the node's bar how many of `total` are done, and ends the run if the user stopped it."""
    bar = comfy.utils.ProgressBar(total)

    def show(done: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done)

    return show


def preview(node: Any, images: list[Tensor], notes: tuple[str, ...] = (), text: str = "") -> dict[str, Any]:
    """What a node shows under itself: IMAGEs of any size, and notes, which newer hosts also write on the node.

    Notes are logged as warnings; a `text`, where there is one, is shown in their place.
    """
    shown = [ui.PreviewImage(image, cls=node).as_dict()["images"] for image in images]
    result: dict[str, Any] = {"images": [one for some in shown for one in some], "animated": (False,)}
    if notes:
        name = node.define_schema().display_name  # once: a schema may list folders
        for note in notes:
            logger.warning("%s: %s", name, note)
    if lines := (text,) if text else tuple(notes):
        result["text"] = lines
        send = getattr(PromptServer.instance, "send_progress_text", None)
        if send is not None and node.hidden.unique_id is not None:
            send("\n".join(lines), node.hidden.unique_id)
    return result


def show_to_editor(node: Any, photo: Tensor, content: str, told: tuple[str, ...]) -> dict[str, Any]:
    """What Garment Segment's editor is given after a run: the photo (1, H, W, 3) to click on, and the scores.

    Not under the name that the frontend shows by itself, so that the photo is not on the node twice. `content` tells
    the photo from others: its file has a new name in each run.
    """
    (shown,) = ui.PreviewImage(photo, cls=node).as_dict()["images"]
    return {"igr_photo": [{**shown, "content": content}], "text": told}


# Routes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a route gives back."""

    status: int
    """As in HTTP."""
    body: bytes
    """What is sent."""
    content_type: str
    """Its kind."""
    headers: dict[str, str] | None = None
    """What else is told."""


def is_running() -> bool:
    """Whether graphs run or wait to run."""
    return PromptServer.instance.prompt_queue.get_tasks_remaining() > 0


def add_route(path: str, answer: Callable[[str, bytes | None], Answer], limit: int, waiting: int) -> None:
    """Have POST requests answered by a function of content type and body, in a thread of its own, one at a time.

    The body is None where it is longer than `limit` bytes, of which no more is read. Where more than `waiting` requests
    are under way the answer is 429.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="igr")
    under_way = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal under_way
        body = await _read(request, limit)
        if under_way >= waiting:
            return web.json_response({"error": "Other clicks are being answered: try again in a moment."}, status=429)
        under_way += 1
        try:
            loop = asyncio.get_running_loop()
            given = await loop.run_in_executor(thread, answer, request.content_type, body)
        finally:
            under_way -= 1
        return web.Response(
            status=given.status, body=given.body, content_type=given.content_type, headers=given.headers
        )

    PromptServer.instance.routes.post(path)(handle)


def add_file_route(path: str, files: dict[str, Path]) -> None:
    """Have GET requests for path/NAME answered with one of these files."""

    async def handle(request: web.Request) -> web.StreamResponse:
        found = files.get(request.match_info["name"])
        return web.Response(status=404) if found is None else web.FileResponse(found)

    PromptServer.instance.routes.get(f"{path}/{{name}}")(handle)


async def _read(request: web.Request, limit: int) -> bytes | None:
    if (request.content_length or 0) > limit:
        return None
    body = b""
    async for piece in request.content.iter_chunked(limit):
        body += piece
        if len(body) > limit:
            return None
    return body
