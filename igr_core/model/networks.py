"""Build the networks of a config from diffusers and transformers classes, for headless inference and training."""

from __future__ import annotations

from typing import Any

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from .config import ImageEncoderConfig, NoiseConfig, UNetConfig, VAEConfig


def build_unet(config: UNetConfig) -> UNet2DConditionModel:
    """SD1.5-family UNet with random weights: GarmDenoiser or, with 5 input channels, GarmNet."""
    down = ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in config.attention_levels]
    up = ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(config.attention_levels)]
    shape: dict[str, Any] = dict(  # Any: diffusers' annotations are narrower than what it accepts
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        cross_attention_dim=config.cross_attention_dim,
        attention_head_dim=config.heads,  # despite diffusers' name, this is the number of heads in this family
    )
    return UNet2DConditionModel(**shape)


def build_vae(config: VAEConfig) -> AutoencoderKL:
    """Latent autoencoder with random weights."""
    levels = len(config.block_out_channels)
    shape: dict[str, Any] = dict(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        latent_channels=config.latent_channels,
        scaling_factor=config.scaling_factor,
    )
    return AutoencoderKL(**shape)


def build_image_encoder(config: ImageEncoderConfig) -> CLIPVisionModelWithProjection:
    """CLIP vision tower with random weights."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            image_size=config.image_size,
            patch_size=config.patch_size,
            projection_dim=config.projection_dim,
            hidden_act=config.hidden_act,
        )
    )


def build_scheduler(config: NoiseConfig) -> DDIMScheduler:
    """The forward diffusion process, with which training adds noise and computes velocities; not used for sampling."""
    return DDIMScheduler(
        num_train_timesteps=config.train_steps,
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type=config.prediction_type,
        rescale_betas_zero_snr=config.zero_terminal_snr,
    )
