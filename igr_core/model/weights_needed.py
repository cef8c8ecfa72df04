"""Lower bounds on the number of weights that a config requires, without building a network."""

from __future__ import annotations

from .config import ImageEncoderConfig, ImagePromptConfig, ModelConfig, UNetConfig, VAEConfig

_KERNEL = 9


def weights_needed(model: ModelConfig) -> dict[str, int]:
    """Lower bound on the number of weights in each network, by the names of a bundle's parts.

    Counts the largest layers: 3 × 3 convolutions within a level, and linear layers of attention and MLPs. Every layer
    that grows with a config entry is counted, so that no network is much larger than its bound.
    """
    needed = {"denoiser": _of_unet(model.denoiser), "vae": _of_vae(model.vae)}
    needed["image_encoder"] = _of_image_encoder(model.image_encoder)
    if model.garmnet is not None:
        needed["garmnet"] = _of_unet(model.garmnet)
    if model.image_prompt is not None:
        needed["image_prompt"] = _of_image_prompt(model.image_prompt, model.denoiser.cross_attention_dim)
    return needed


def _of_unet(config: UNetConfig) -> int:
    widths, layers = config.block_out_channels, config.layers_per_block
    convolutions = sum(_KERNEL * width**2 * 3 * layers for width in widths) + 4 * _KERNEL * widths[-1] ** 2
    keys_values = sum(
        2 * config.cross_attention_dim * width * (2 * layers + 1)
        for width, attends in zip(widths, config.attention_levels, strict=True)
        if attends
    )
    return convolutions + keys_values


def _of_vae(config: VAEConfig) -> int:
    return sum(_KERNEL * width**2 * 3 * config.layers_per_block for width in config.block_out_channels)


def _of_image_encoder(config: ImageEncoderConfig) -> int:
    width = config.hidden_size
    layer = 4 * width**2 + 2 * width * config.intermediate_size
    ends = config.token_count + 3 * config.patch_size**2 + config.projection_dim
    return config.num_hidden_layers * layer + width * ends


def _of_image_prompt(config: ImagePromptConfig, width: int) -> int:
    if config.layout == "linear":
        return config.embedding_dim * config.tokens * width
    layer = 4 * width * config.head_dim * config.heads + 2 * width**2 * config.feed_forward_multiplier
    return config.depth * layer + width * (config.embedding_dim + config.tokens)
