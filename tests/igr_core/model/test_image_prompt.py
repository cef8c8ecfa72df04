"""The image prompt: layouts of the published files, both projections, and Eq. 3 by hand."""

from __future__ import annotations

import math

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn

from igr_core.model.config import ImagePromptConfig, UNetConfig
from igr_core.model.igr import IGR
from igr_core.model.image_prompt import ImagePrompt, LinearProjection, Resampler
from igr_core.model.networks import build_unet
from tests.support.models.tiny import MODEL

WIDTHS = {
    1: 320, 3: 320, 5: 640, 7: 640, 9: 1280, 11: 1280,
    13: 1280, 15: 1280, 17: 1280, 19: 640, 21: 640, 23: 640, 25: 320, 27: 320, 29: 320,
    31: 1280,
}  # fmt: skip
"""Width of each numbered layer in the published files: six going down, nine going up, the middle."""
LAYERS = {
    f"ip_adapter.{number}.{name}.weight": (width, 768)
    for number, width in WIDTHS.items()
    for name in ("to_k_ip", "to_v_ip")
}
LINEAR = {
    "image_proj.proj.weight": (3072, 1024),
    "image_proj.proj.bias": (3072,),
    "image_proj.norm.weight": (768,),
    "image_proj.norm.bias": (768,),
} | LAYERS
"""Every tensor of ip-adapter_sd15.safetensors."""
PLUS = {
    "image_proj.latents": (1, 16, 768),
    "image_proj.proj_in.weight": (768, 1280),
    "image_proj.proj_in.bias": (768,),
    "image_proj.proj_out.weight": (768, 768),
    "image_proj.proj_out.bias": (768,),
    "image_proj.norm_out.weight": (768,),
    "image_proj.norm_out.bias": (768,),
    **{
        f"image_proj.layers.{layer}.{name}": shape
        for layer in range(4)
        for name, shape in {
            "0.norm1.weight": (768,),
            "0.norm1.bias": (768,),
            "0.norm2.weight": (768,),
            "0.norm2.bias": (768,),
            "0.to_q.weight": (768, 768),
            "0.to_kv.weight": (1536, 768),
            "0.to_out.weight": (768, 768),
            "1.0.weight": (768,),
            "1.0.bias": (768,),
            "1.1.weight": (3072, 768),
            "1.3.weight": (768, 3072),
        }.items()
    },
} | LAYERS
"""Every tensor of ip-adapter-plus_sd15.safetensors."""
PUBLISHED = {
    "ip-adapter_sd15": (ImagePromptConfig(), LINEAR),
    "ip-adapter-plus_sd15": (ImagePromptConfig("resampler", tokens=16, embedding_dim=1280), PLUS),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_fit(name: str) -> None:
    config, tensors = PUBLISHED[name]
    with torch.device("meta"):
        module = ImagePrompt(config, UNetConfig())
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == tensors


def test_layers_are_numbered_as_the_published_files_number_the_unets_attentions() -> None:
    with torch.device("meta"):
        processors = list(build_unet(UNetConfig()).attn_processors)
        module = ImagePrompt(ImagePromptConfig(), UNetConfig())
    for block, number in module.numbers.items():
        assert processors[int(number)] == f"{block}.transformer_blocks.0.attn2.processor"


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    return build_unet(MODEL.denoiser)


@pytest.mark.parametrize(
    ("config", "features"),
    [
        (ImagePromptConfig(tokens=4, embedding_dim=24), (2, 24)),
        (ImagePromptConfig("resampler", tokens=5, embedding_dim=24, heads=3), (2, 7, 24)),
    ],
)
@torch.no_grad()
def test_projections_equal_those_of_diffusers_from_the_same_file(
    unet: nn.Module, config: ImagePromptConfig, features: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    module = (LinearProjection if config.layout == "linear" else Resampler)(config, 32)
    for parameter in module.parameters():
        parameter.normal_(std=0.2)
    theirs = unet._convert_ip_adapter_image_proj_to_diffusers(module.state_dict(), low_cpu_mem_usage=False)  # type: ignore[operator]
    given = torch.randn(features)
    tokens = module(given)
    assert tokens.shape == (2, config.tokens, 32)
    assert torch.allclose(tokens, theirs(given), atol=1e-5)


@torch.no_grad()
def test_resampler_reads_every_token_of_its_own_image() -> None:
    torch.manual_seed(0)
    config = ImagePromptConfig("resampler", tokens=3, embedding_dim=16, depth=2, head_dim=8, heads=2)
    module = Resampler(config, 32)
    features = torch.randn(2, 6, 16)
    tokens = module(features)
    assert tokens.shape == (2, 3, 32)
    for place in range(6):
        changed = features.clone()
        changed[0, place] += 1
        difference = (module(changed) - tokens).abs().amax(-1)  # (2, 3)
        assert (difference[0] > 1e-4).all(), f"token {place} is not read"
        assert torch.equal(difference[1], torch.zeros(3))


def by_hand(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V, (N, C), (M, C) x 2 -> (N, C)."""
    query, key, value = (rearrange(x, "n (h d) -> h n d", h=heads) for x in (query, key, value))
    weights = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
    return rearrange(weights @ value, "h n d -> n (h d)")


@pytest.mark.parametrize("block", ["down_blocks.0.attentions.0", "mid_block.attentions.0", "up_blocks.1.attentions.2"])
@pytest.mark.parametrize("rows", [(1, -1, 0), (1, 0, 1), (-1, -1, 1)])
@torch.no_grad()
def test_equation_3_by_hand(block: str, rows: tuple[int, ...]) -> None:
    """Through the denoiser's own processor; the terms are summed before the out projection."""
    torch.manual_seed(1)
    weight = 0.7
    model = IGR(MODEL).double()
    assert model.image_prompt is not None
    attn = model.denoiser.get_submodule(f"{block}.transformer_blocks.0.attn2")
    width = attn.to_q.in_features  # type: ignore[union-attr]
    hidden, text, features = (torch.randn(shape).double() for shape in ((3, 12, width), (3, 5, 32), (2, 16)))
    latent = torch.randn(3, 4, 4, 3).double()
    fusion = model.fusion(latent, (-1,) * 3, None, rows, features, image_prompt_strength=weight)
    ours = attn(hidden, encoder_hidden_states=text, fusion=fusion)

    own = model.image_prompt.ip_adapter[model.image_prompt.numbers[block]]
    tokens = model.image_prompt.image_proj(features)  # (2, T, 32)
    out = attn.to_out[0]  # type: ignore[index]
    for row, source in enumerate(rows):
        query = attn.to_q(hidden[row])  # type: ignore[operator]
        summed = by_hand(query, attn.to_k(text[row]), attn.to_v(text[row]), attn.heads)  # type: ignore[operator, arg-type]
        if source >= 0:
            image = by_hand(query, own.to_k_ip(tokens[source]), own.to_v_ip(tokens[source]), attn.heads)  # type: ignore
            assert (
                ours[row] - (out(summed) + weight * image)
            ).abs().max() > 1e-3  # summed after the projection, which is not Eq. 3
            summed = summed + weight * image
        assert (ours[row] - out(summed)).abs().max() < 1e-12
