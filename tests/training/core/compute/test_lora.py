"""Adapters of the denoiser: no effect at first, only they are trained, and merging gives plain weights."""

from __future__ import annotations

import pytest
import torch

from igr_core.model.igr import IGR
from tests.support.models.tiny import MODEL
from training.base.train_config import LoraConfig
from training.core.compute.lora import add_lora, merge_lora


@pytest.fixture
def model() -> IGR:
    torch.manual_seed(0)
    made = IGR(MODEL)
    for prompt in made.prompts.values():
        prompt.data.normal_()
    return made


def predicted(model: IGR) -> torch.Tensor:
    noise = [torch.randn(shape, generator=torch.Generator().manual_seed(i)) for i, shape in enumerate(SHAPES)]
    noisy, person, mask, image = noise
    steps = torch.tensor([10, 500])
    return model(noisy, steps, ["upper", "empty"], person, mask, ["upper"], image, [0, -1], [0, -1])


SHAPES = ((2, 4, 8, 6), (1, 4, 8, 6), (1, 1, 8, 6), (1, 16))


def test_adapters_change_nothing_at_first_and_only_they_are_trained(model: IGR) -> None:
    before = predicted(model)
    add_lora(model, LoraConfig(rank=4, alpha=8))
    assert torch.equal(predicted(model), before)
    trained = [name for name, p in model.denoiser.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    assert any(p.requires_grad for p in model.garmnet.parameters())  # type: ignore[union-attr]


def test_merged_adapters_are_plain_weights(model: IGR) -> None:
    names = set(model.state_dict())
    before = predicted(model)
    add_lora(model, LoraConfig(rank=4, alpha=8))
    with torch.no_grad():
        for name, p in model.denoiser.named_parameters():
            if "lora_" in name:
                p.normal_(std=0.1)
    adapted = predicted(model)
    merge_lora(model)
    assert set(model.state_dict()) == names
    assert torch.allclose(predicted(model), adapted, atol=1e-4)
    assert not torch.allclose(adapted, before, atol=1e-3)
