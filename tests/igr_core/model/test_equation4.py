"""GarmFus through a whole UNet: own queries give the same as the paper's concatenation, of which half is kept."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from igr_core.model.garmfus import attend, level_shape, sincos_position
from igr_core.model.igr import IGR
from igr_core.model.networks import build_unet
from tests.support.models.tiny import MODEL

CATEGORIES = ["upper", "lower", "full"]
LATENT_SHAPE = (8, 6)


class Concatenate:
    """Eq. 4 literally: concatenate the hidden states of both, attend over all of them, keep the second half."""

    def __init__(self, reference: Tensor, amplitude: float | None) -> None:
        self.reference = reference  # (B, N, C)
        self.position = None
        if amplitude is not None:
            tokens, channels = reference.shape[1:]
            height, width = level_shape(tokens, LATENT_SHAPE)
            self.position = sincos_position(height, width, channels, amplitude, "cpu", reference.dtype)

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        joined = torch.cat([self.reference, hidden_states], dim=1)  # (B, 2 N, C)
        located = joined if self.position is None else joined + torch.cat([self.position, self.position], dim=1)
        out = attend(attn.to_q(located), attn.to_k(located), attn.to_v(joined), attn.heads)  # type: ignore[operator]
        return attn.to_out[0](out)[:, self.reference.shape[1] :]  # type: ignore[index]


def paper_form(model: IGR, features: dict[str, Tensor], rows: list[int]) -> UNet2DConditionModel:
    """A copy of the denoiser as set up by diffusers, with Concatenate in every self-attention."""
    unet = build_unet(model.config.denoiser).to(dtype=next(model.parameters()).dtype)
    unet.load_state_dict(model.denoiser.state_dict())
    amplitude = None if model.config.reference_position == "none" else model.config.reference_position_amplitude
    processors = {}
    for name in unet.attn_processors:
        block = name.split(".transformer_blocks.")[0]
        processors[name] = Concatenate(features[block][rows], amplitude) if ".attn1." in name else AttnProcessor2_0()
    unet.set_attn_processor(processors)
    return unet.eval()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("position", ["none", "sincos"])
@torch.no_grad()
def test_the_whole_unet_agrees_with_the_papers_form(position: str, dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(2)
    model = IGR(dataclasses.replace(MODEL, reference_position=position)).to(dtype).eval()
    for prompt in model.prompts.values():
        prompt.normal_()
    person, latent = torch.randn(2, 3, 4, *LATENT_SHAPE, dtype=dtype)
    mask = torch.rand(3, 1, *LATENT_SHAPE, dtype=dtype)
    timestep, rows = torch.tensor([999, 500, 20]), [2, 0, 1]  # each row has its own reference, at another index
    features = model.encode_reference(person, mask, CATEGORIES)

    fusion = model.fusion(latent, rows, features, (-1,) * 3, None)
    ours = model.denoise(latent, timestep, model.text(CATEGORIES), fusion)
    theirs = paper_form(model, features, rows)(latent, timestep, model.text(CATEGORIES)).sample
    assert (ours - theirs).abs().max() < tolerance

    plain = model.denoise(latent, timestep, model.text(CATEGORIES), None)
    swapped = model.denoise(
        latent, timestep, model.text(CATEGORIES), model.fusion(latent, [0, 1, 2], features, (-1,) * 3, None)
    )
    for other in (plain, swapped):  # so that the comparison can fail
        assert (ours - other).abs().amax((1, 2, 3)).min() > 1e-3
