"""Frozen, validated configs of every part of the model, from SD1.5 scale to igr-small."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from ..errors import IGRError
from ..ranges import Length, Positive, Range, Ranged, check_ranges, shown

CATEGORIES = ("upper", "lower", "full")
"""The garment categories of the paper (section 3.2): upper, lower and full body."""

PROMPT_NAMES = (*CATEGORIES, "empty")
"""Names of the text embeddings in a bundle."""

MAX_SIDE = 2048
"""Maximum width and height in pixels at which a model may be trained; a VAE needs about 2.5 GB at this size."""

Width = Annotated[int, Range(1, 16384)]
"""Channels of a layer."""
Layers = Annotated[int, Range(1, 64)]
"""Number of consecutive layers."""
Heads = Annotated[int, Range(1, 256)]
"""Attention heads."""
Channels = Annotated[int, Range(1, 64)]
"""Channels of a latent."""
Levels = Length(1, 6)
Side = Annotated[int, Range(1, MAX_SIDE)]
"""Width or height in pixels."""

_GROUPS = 32
"""Groups of every GroupNorm in diffusers' UNet and VAE."""
_MOST_TOKENS = 64 * 64
_MOST_NOISE = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class UNetConfig(Ranged):
    """Shape of the denoiser or GarmNet; the defaults are the SD1.5 UNet."""

    in_channels: Channels = 4
    """Input channels: 4 for the denoiser, 5 for GarmNet (person latent and mask)."""
    out_channels: Channels = 4
    """Output channels."""
    block_out_channels: Annotated[tuple[Width, ...], Levels] = (320, 640, 1280, 1280)
    """Width of each level, finest first; multiples of 32."""
    layers_per_block: Layers = 2
    """Residual blocks per level in the down blocks (one more in the up blocks)."""
    attention_levels: tuple[bool, ...] = (True, True, True, False)
    """Whether each level has transformer blocks; the middle block always has one."""
    attention_heads: Heads = 8
    """Heads of every attention layer (SD1.5 layout)."""
    attention_head_width: Width | None = None
    """Channels of every head (SD2 layout); replaces attention_heads if given."""
    cross_attention_dim: Width = 768
    """Width of the text embeddings and image-prompt tokens."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.attention_levels) != len(self.block_out_channels):
            raise IGRError(
                "attention_levels and block_out_channels must have the same length: give one entry per level."
            )
        for width in self.block_out_channels:
            if width % _GROUPS or width % (self.attention_head_width or self.attention_heads):
                raise IGRError(f"UNet width {width} must be a multiple of 32 and divisible by the attention heads.")

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads of each level, finest first."""
        if self.attention_head_width is None:
            return (self.attention_heads,) * len(self.block_out_channels)
        return tuple(width // self.attention_head_width for width in self.block_out_channels)


@dataclass(frozen=True)
class VAEConfig(Ranged):
    """Shape of the latent autoencoder; the defaults are the SD1.5 VAE."""

    block_out_channels: Annotated[tuple[Width, ...], Levels] = (128, 256, 512, 512)
    """Width of each level, finest first; the downscale factor is 2 ** (levels - 1)."""
    layers_per_block: Layers = 2
    """Residual blocks per encoder level (one more in the decoder)."""
    latent_channels: Channels = 4
    """Channels of the latent."""
    scaling_factor: Positive = 0.18215
    """Factor by which latents are multiplied so that their standard deviation is about 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for width in self.block_out_channels:
            if width % _GROUPS:
                raise IGRError(f"VAE width {width} must be a multiple of {_GROUPS}.")

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along each side."""
        return 2 ** (len(self.block_out_channels) - 1)


@dataclass(frozen=True)
class ImageEncoderConfig(Ranged):
    """Shape of the CLIP vision tower; the defaults are the ViT-H/14 that IP-Adapter uses."""

    hidden_size: Width = 1280
    """Width of the patch tokens."""
    intermediate_size: Width = 5120
    """Width inside each MLP."""
    num_hidden_layers: Layers = 32
    """Transformer layers."""
    num_attention_heads: Heads = 16
    """Heads per layer."""
    image_size: Side = 224
    """Side of the square input in pixels."""
    patch_size: Side = 14
    """Side of one patch in pixels."""
    projection_dim: Width = 1024
    """Width of the projected image embedding."""
    hidden_act: Literal["gelu", "quick_gelu", "gelu_pytorch_tanh"] = "gelu"
    """Activation inside the MLPs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % self.num_attention_heads:
            raise IGRError(
                f"hidden_size ({self.hidden_size}) must be divisible by num_attention_heads "
                f"({self.num_attention_heads})."
            )
        if not 1 < self.token_count <= 1 + _MOST_TOKENS:
            raise IGRError(
                f"image_size {self.image_size} with patch_size {self.patch_size} gives {self.token_count - 1} patches: "
                f"there must be from 1 to {_MOST_TOKENS}."
            )

    @property
    def token_count(self) -> int:
        """Hidden-state tokens per image: the class token and the patches."""
        return 1 + (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True)
class ImagePromptConfig(Ranged):
    """Projection of image-encoder output to image-prompt tokens, in the published IP-Adapter layouts."""

    layout: Literal["linear", "resampler"] = "linear"
    """`linear` (ip-adapter_sd15): from the image embedding; `resampler` (ip-adapter-plus_sd15): from the penultimate
    hidden states."""
    tokens: Annotated[int, Range(1, 1024)] = 4
    """Image-prompt tokens: 4 in the published linear layout, 16 in the resampler."""
    embedding_dim: Width = 1024
    """Width of the image encoder's output: projection_dim (linear) or hidden_size (resampler)."""
    depth: Layers = 4
    """Resampler layers (resampler only)."""
    head_dim: Width = 64
    """Width of a resampler head (resampler only)."""
    heads: Heads = 12
    """Resampler heads (resampler only)."""
    feed_forward_multiplier: Annotated[int, Range(1, 16)] = 4
    """Width of the resampler's MLPs as a multiple of its own width (resampler only)."""


@dataclass(frozen=True)
class NoiseConfig(Ranged):
    """The diffusion process; the defaults are SD1.5's (Eq. 1 of the paper)."""

    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    """Prediction target of the denoiser."""
    train_steps: Annotated[int, Range(2, 10_000)] = 1000
    """Timesteps of the forward process."""
    beta_start: Annotated[float, Range(1e-6, 0.5)] = 0.00085
    """First beta of the scaled-linear schedule."""
    beta_end: Annotated[float, Range(1e-6, 0.5)] = 0.012
    """Last beta of the scaled-linear schedule."""
    zero_terminal_snr: bool = False
    """Rescale the betas so that the last timestep is pure noise."""
    timestep_spacing: Literal["leading", "trailing"] = "leading"
    """Timesteps that DDIM visits: `leading` (offset 1) in SD1.5; zero-terminal-SNR models need `trailing`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta_start > self.beta_end:
            raise IGRError(f"beta_start {self.beta_start:g} must not be above beta_end {self.beta_end:g}.")
        if self.train_steps * self.beta_end > _MOST_NOISE:  # the fraction of signal then rounds to 0
            raise IGRError(
                f"beta_end {self.beta_end:g} leaves no signal after {self.train_steps} steps: train_steps x beta_end "
                f"must be at most {_MOST_NOISE:g} (12 in SD1.5)."
            )
        if self.zero_terminal_snr and (self.prediction_type, self.timestep_spacing) != ("v_prediction", "trailing"):
            raise IGRError("zero_terminal_snr needs prediction_type v_prediction and timestep_spacing trailing.")


@dataclass(frozen=True)
class ViewConfig(Ranged):
    """Layout of a photo for the model."""

    mode: Literal["whole", "focused"] = "whole"
    """`whole`: the whole photo (paper); `focused`: the garment's box plus a margin of context."""
    margin: Annotated[float, Range(0, 10)] = 0.25
    """Context around the garment's box on each side, as a fraction of the box's longer side (focused only)."""


@dataclass(frozen=True)
class ModelConfig(Ranged):
    """Everything needed to build the networks of a bundle, without their weights."""

    denoiser: UNetConfig = field(default_factory=UNetConfig)
    """The diffusion UNet that generates the garment (GarmDenoiser in the paper)."""
    garmnet: UNetConfig | None = field(default_factory=lambda: UNetConfig(in_channels=5))
    """GarmNet; None to train without it (ablation)."""
    image_prompt: ImagePromptConfig | None = field(default_factory=ImagePromptConfig)
    """Image-prompt projection; None to train without it (ablation)."""
    vae: VAEConfig = field(default_factory=VAEConfig)
    """The autoencoder of the latents, in the bundle or provided separately."""
    image_encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    """The CLIP vision tower, in the bundle or provided separately."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    """The diffusion process."""
    view: ViewConfig = field(default_factory=ViewConfig)
    """The view that the model was trained with."""
    native_size: tuple[Side, Side] = (768, 1024)
    """Width and height in pixels at which the model was trained."""
    reference_position: Literal["none", "sincos"] = "none"
    """Position embedding added to self-attention queries and keys in rows with a reference; `none` in the paper."""
    reference_position_amplitude: Annotated[float, Range(0, 1000)] = 2.5
    """Amplitude of the sincos position embedding."""
    prompt_tokens: Annotated[int, Range(1, 1024)] = 77
    """Tokens of each category's text embedding."""
    category_wording: dict[str, str] = field(
        default_factory=lambda: {
            "upper": "a photo of an upper garment",
            "lower": "a photo of a lower garment",
            "full": "a photo of a full-body garment",
            "empty": "",
        }
    )
    """The prompt of each text embedding."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.denoiser.in_channels, self.denoiser.out_channels) != (self.vae.latent_channels,) * 2:
            raise IGRError(
                f"The denoiser has {self.denoiser.in_channels} input and {self.denoiser.out_channels} output channels, "
                f"but the VAE has {self.vae.latent_channels} latent channels: all three numbers must be the same."
            )
        if self.garmnet is not None:
            if self.garmnet.in_channels != self.vae.latent_channels + 1:
                raise IGRError(
                    f"GarmNet has {self.garmnet.in_channels} input channels: it needs {self.vae.latent_channels + 1}, "
                    "one more than the VAE's latent channels, for the mask."
                )
            same = dataclasses.replace(self.garmnet, in_channels=self.denoiser.in_channels)
            if same != self.denoiser:
                raise IGRError(
                    "GarmNet must have the denoiser's structure (paper, Fig. 3), except for its input channels."
                )
        if set(self.category_wording) != set(PROMPT_NAMES):
            raise IGRError(f"category_wording must name exactly {', '.join(PROMPT_NAMES)}.")
        step = self.vae.downscale * 2 ** (len(self.denoiser.block_out_channels) - 1)
        if any(side % step for side in self.native_size):
            raise IGRError(f"Both sides of native_size {self.native_size} must be multiples of {step}.")

    @property
    def size_step(self) -> int:
        """Working widths and heights must be multiples of this many pixels."""
        return self.vae.downscale * 2 ** (len(self.denoiser.block_out_channels) - 1)


def to_json(config: Any) -> dict[str, Any]:
    """A config dataclass as a JSON-serialisable dict."""
    return dataclasses.asdict(config)


def from_json(kind: type[T], data: Any, where: str = "config") -> T:
    """Build the dataclass `kind` from parsed JSON or YAML.

    Raises IGRError naming the field (as `where.field`) for unknown names, missing names and wrong types.
    """
    return _convert(kind, data, where)


def _convert(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        value = _convert(typing.get_args(kind)[0], data, where)
        check_ranges(kind, value, where)
        return value
    if origin in (typing.Union, types.UnionType):
        return _convert_union(kind, data, where)
    if origin is Literal:
        if not any(type(data) is type(one) and data == one for one in typing.get_args(kind)):
            raise IGRError(
                f"{where} is {shown(data)}; it must be one of {', '.join(map(repr, typing.get_args(kind)))}."
            )
        return data
    if origin is tuple:
        return _convert_tuple(kind, data, where)
    if origin is dict:
        if not isinstance(data, dict):
            raise IGRError(f"{where} is {shown(data)}; it must be a mapping.")
        value_kind = typing.get_args(kind)[1]
        return {str(key): _convert(value_kind, value, f"{where}.{key}") for key, value in data.items()}
    if dataclasses.is_dataclass(kind):
        return _convert_dataclass(kind, data, where)
    return _convert_scalar(kind, data, where)


def _convert_union(kind: Any, data: Any, where: str) -> Any:
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    if data is None:
        if len(options) == len(typing.get_args(kind)):
            raise IGRError(f"{where} has no value: set one.")
        return None
    mappings = [option for option in options if typing.get_origin(option) is dict]
    return _convert((mappings if isinstance(data, dict) and mappings else options)[0], data, where)


def _convert_tuple(kind: Any, data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, (list, tuple)):
        raise IGRError(f"{where} is {shown(data)}; it must be a list.")
    kinds = typing.get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        raise IGRError(f"{where} has {len(data)} entries; it must have {len(kinds)}.")
    return tuple(_convert(one, item, f"{where}[{i}]") for i, (one, item) in enumerate(zip(kinds, data, strict=True)))


def _convert_dataclass(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise IGRError(f"{where} is {shown(data)}; it must be a mapping.")
    hints = typing.get_type_hints(kind, include_extras=True)
    names = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(str(name) for name in data if name not in names)  # YAML also allows names that are not text
    if unknown:
        raise IGRError(f"{where} has unknown entries {', '.join(unknown)}; known are {', '.join(names)}.")
    required = [
        name
        for name, f in names.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and name not in data
    ]
    if required:
        raise IGRError(f"{where} is missing {', '.join(required)}.")
    return kind(**{name: _convert(hints[name], value, f"{where}.{name}") for name, value in data.items()})


def _convert_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is Any:
        return data
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        try:
            return float(data)
        except OverflowError as error:
            raise IGRError(f"{where} is {shown(data)}; it must be a number that fits a float.") from error
    if kind is bool and not isinstance(data, bool):
        raise IGRError(f"{where} is {shown(data)}; it must be true or false.")
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise IGRError(f"{where} is {shown(data)}; it must be of type {kind.__name__}.")
    return data
