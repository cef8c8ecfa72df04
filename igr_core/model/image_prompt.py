"""Image prompt (paper section 3.2, F_ll): IP-Adapter projections and key / value layers, in the published layouts."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from .config import ImagePromptConfig, UNetConfig
from .garmfus import Attend, attend


class LinearProjection(nn.Module):
    """Image embedding -> tokens by one linear layer (`ip-adapter_sd15` layout)."""

    def __init__(self, config: ImagePromptConfig, width: int) -> None:
        super().__init__()
        self.tokens = config.tokens
        self.proj = nn.Linear(config.embedding_dim, config.tokens * width)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, embedding_dim) -> (B, tokens, width)."""
        return self.norm(rearrange(self.proj(features), "b (t c) -> b t c", t=self.tokens))


class PerceiverAttention(nn.Module):
    """Latent tokens attend to the image's tokens and to each other."""

    def __init__(self, width: int, head_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend: Attend = attend
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, head_dim * heads, bias=False)
        self.to_kv = nn.Linear(width, head_dim * heads * 2, bias=False)
        self.to_out = nn.Linear(head_dim * heads, width, bias=False)

    def forward(self, features: Tensor, latents: Tensor) -> Tensor:
        """(B, M, width), (B, T, width) -> (B, T, width)."""
        features, latents = self.norm1(features), self.norm2(latents)
        query = self.to_q(latents)
        key, value = self.to_kv(torch.cat([features, latents], dim=1)).chunk(2, dim=-1)
        return self.to_out(self.attend(query, key, value, self.heads, None))


class Resampler(nn.Module):
    """Penultimate hidden states -> tokens by a perceiver (`ip-adapter-plus_sd15` layout)."""

    def __init__(self, config: ImagePromptConfig, width: int) -> None:
        super().__init__()
        inner = width * config.feed_forward_multiplier
        self.latents = nn.Parameter(torch.randn(1, config.tokens, width) / width**0.5)
        self.proj_in = nn.Linear(config.embedding_dim, width)
        self.proj_out = nn.Linear(width, width)
        self.norm_out = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    PerceiverAttention(width, config.head_dim, config.heads),
                    nn.Sequential(
                        nn.LayerNorm(width),
                        nn.Linear(width, inner, bias=False),
                        nn.GELU(),
                        nn.Linear(inner, width, bias=False),
                    ),
                ]
            )
            for _ in range(config.depth)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, M, embedding_dim) -> (B, tokens, width)."""
        latents = self.latents.expand(features.shape[0], -1, -1)
        features = self.proj_in(features)
        for attention, feed_forward in self.layers:  # type: ignore[misc]
            latents = attention(features, latents) + latents
            latents = feed_forward(latents) + latents
        return self.norm_out(self.proj_out(latents))


class ImagePromptLayer(nn.Module):
    """Key and value projections of the image prompt for one cross-attention (Eq. 3)."""

    def __init__(self, token_width: int, width: int) -> None:
        super().__init__()
        self.to_k_ip = nn.Linear(token_width, width, bias=False)
        self.to_v_ip = nn.Linear(token_width, width, bias=False)


def cross_attention_widths(unet: UNetConfig) -> dict[str, int]:
    """Width of every cross-attention by diffusers block name, in IP-Adapter's numbering order.

    The published files number the UNet's attention layers in the order down, up, middle; even numbers are
    self-attentions.
    """
    widths: dict[str, int] = {}
    levels = list(zip(unet.block_out_channels, unet.attention_levels, strict=True))
    for level, (width, attends) in enumerate(levels):
        for layer in range(unet.layers_per_block if attends else 0):
            widths[f"down_blocks.{level}.attentions.{layer}"] = width
    for level, (width, attends) in enumerate(reversed(levels)):
        for layer in range(unet.layers_per_block + 1 if attends else 0):
            widths[f"up_blocks.{level}.attentions.{layer}"] = width
    widths["mid_block.attentions.0"] = levels[-1][0]
    return widths


class ImagePrompt(nn.Module):
    """All trainable parts of the low-level extractor, with the parameter names of IP-Adapter files."""

    def __init__(self, config: ImagePromptConfig, unet: UNetConfig) -> None:
        super().__init__()
        self.config = config
        projection = LinearProjection if config.layout == "linear" else Resampler
        self.image_proj = projection(config, unet.cross_attention_dim)
        widths = cross_attention_widths(unet)
        self.numbers = {name: str(2 * i + 1) for i, name in enumerate(widths)}
        self.ip_adapter = nn.ModuleDict(
            {self.numbers[name]: ImagePromptLayer(unet.cross_attention_dim, width) for name, width in widths.items()}
        )

    def forward(self, features: Tensor) -> Tensor:
        """Image-encoder output -> image-prompt tokens (B, tokens, cross_attention_dim)."""
        return self.image_proj(features)

    def keys_values(self, tokens: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Keys and values (B, tokens, C) of every cross-attention, by block name."""
        layers = {name: self.ip_adapter[number] for name, number in self.numbers.items()}
        return {name: (layer.to_k_ip(tokens), layer.to_v_ip(tokens)) for name, layer in layers.items()}  # type: ignore
