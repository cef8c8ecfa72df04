"""Reading attention from a restored latent."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from igr_core.model.config import NoiseConfig
from igr_core.model.detail_config import HeadConfig, ReadoutConfig
from igr_core.model.diffusers_adapter import self_attention_order
from igr_core.model.igr import IGR
from igr_core.restore.reading import read_attention
from igr_core.sampling.loop import Conditions
from igr_core.sampling.schedule import noised, reading_timesteps
from tests.support.models.tiny import MODEL


@pytest.mark.parametrize(("count", "timesteps"), [(1, (166,)), (2, (250, 83)), (3, (277, 166, 55))])
def test_timesteps_lie_in_the_last_third_noisiest_first(count: int, timesteps: tuple[int, ...]) -> None:
    assert reading_timesteps(NoiseConfig(), count) == timesteps


def test_noise_has_the_strength_of_the_timestep() -> None:
    latent = torch.randn(2, 4, 32, 24, generator=torch.Generator().manual_seed(1))
    config = NoiseConfig()
    assert (noised(latent, config, 0) - latent).abs().max() < 0.2
    late = noised(torch.zeros_like(latent), config, 999)
    assert late.std() == pytest.approx(1, abs=0.05)
    assert torch.equal(late[0], late[1])


def test_a_batch_is_read_like_its_garments_alone() -> None:
    torch.manual_seed(0)
    model = IGR(MODEL).eval()
    height, width = MODEL.native_size[1] // 8, MODEL.native_size[0] // 8
    latents = torch.randn(2, 4, height, width)
    masks = torch.ones(2, 1, height, width)
    with torch.no_grad():
        features = model.encode_reference(torch.randn(2, 4, height, width), masks, ["upper", "lower"])
    blocks = self_attention_order(model.denoiser)
    config = ReadoutConfig((HeadConfig(blocks[0], 0), HeadConfig(blocks[-1], 0, 2.0)))
    conditions = Conditions(["upper", "lower"], features, None)
    together = read_attention(model, latents, conditions, config).correspondences([masks[:1]] * 2)
    for row, category in enumerate(conditions.categories):
        own = {name: value[row : row + 1] for name, value in features.items()}
        alone = dataclasses.replace(conditions, categories=[category], features=own)
        (single,) = read_attention(model, latents[row : row + 1], alone, config).correspondences([masks[:1]])
        torch.testing.assert_close(single.place, together[row].place, atol=1e-4, rtol=0)
        torch.testing.assert_close(single.mass, together[row].mass, atol=1e-4, rtol=0)
    assert not torch.allclose(together[0].place, together[1].place)
