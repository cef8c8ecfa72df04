"""Noise samples, dropped conditions and loss weights."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import NoiseConfig
from igr_core.model.networks import build_scheduler
from training.base.train_config import DropConfig
from training.core.loss.objective import draw_rows, drop_at, loss_weight, row_loss
from training.prepared.latents import Batch

EPSILON = build_scheduler(NoiseConfig())
VELOCITY = build_scheduler(
    NoiseConfig(prediction_type="v_prediction", zero_terminal_snr=True, timestep_spacing="trailing")
)
CATEGORIES = ["upper", "lower", "full"]


def batch(pairs: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(pairs, 4, 8, 6, generator=generator)
    return Batch(latent, latent.clone(), torch.ones(pairs, 1, 8, 6), torch.ones(pairs, 16), CATEGORIES[:pairs])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_rows_belong_to_their_pairs() -> None:
    rows = draw_rows(batch(), EPSILON, DropConfig(0.0, 0.0, 0.0), seeded(0), draws=2)
    assert rows.reference_rows == rows.image_rows == [0, 0, 1, 1, 2, 2]
    assert rows.prompts == ["upper", "upper", "lower", "lower", "full", "full"]


def test_drop_shares_are_the_configured_ones() -> None:
    drop = DropConfig(everything=0.1, image_prompt=0.05, reference=0.05)
    fates: Counter[tuple[bool, bool, bool]] = Counter()
    for seed in range(400):
        rows = draw_rows(batch(), EPSILON, drop, seeded(seed), draws=4)
        for prompt, reference, image in zip(rows.prompts, rows.reference_rows, rows.image_rows, strict=True):
            fates[prompt == "empty", reference < 0, image < 0] += 1
    total = sum(fates.values())
    assert set(fates) == {(False, False, False), (True, True, True), (False, True, False), (False, False, True)}
    assert fates[True, True, True] / total == pytest.approx(0.10, abs=0.015)
    assert fates[False, True, False] / total == pytest.approx(0.05, abs=0.012)
    assert fates[False, False, True] / total == pytest.approx(0.05, abs=0.012)


def test_drop_curriculum_falls_to_the_configured_share() -> None:
    drop = DropConfig(image_prompt=0.05, image_prompt_start=0.25, start_steps=100)
    assert [round(drop_at(drop, step).image_prompt, 3) for step in (0, 50, 100, 900)] == [0.25, 0.15, 0.05, 0.05]


def test_timesteps_stay_below_the_last_where_the_last_stratum_rounds_up() -> None:
    """With this many rows, float32 rounds the last stratum to 1, for example for seed 49."""
    pairs, rounds_up = 1 << 18, 49
    latent = torch.zeros(pairs, 1, 1, 1)
    many = Batch(latent, latent, latent, torch.zeros(pairs, 1), ["upper"] * pairs)
    generator = seeded(rounds_up)
    torch.randn((pairs, 1, 1, 1), generator=generator)
    assert ((torch.arange(pairs) + torch.rand(pairs, generator=generator)) / pairs).max() == 1
    rows = draw_rows(many, VELOCITY, DropConfig(0.0, 0.0, 0.0), seeded(rounds_up))
    assert rows.timestep.max() == 999 and rows.noisy.isfinite().all()


def test_drop_shares_over_one_are_refused() -> None:
    with pytest.raises(IGRError, match="sum to 1"):
        DropConfig(everything=0.6, image_prompt=0.3, reference=0.2)


def test_same_generator_gives_the_same_rows() -> None:
    first, second = (draw_rows(batch(), EPSILON, DropConfig(), seeded(7), draws=3) for _ in range(2))
    assert torch.equal(first.noisy, second.noisy) and torch.equal(first.timestep, second.timestep)
    assert first.image_rows == second.image_rows


@pytest.mark.parametrize("scheduler", [EPSILON, VELOCITY], ids=["epsilon", "velocity"])
def test_the_target_leads_back_to_the_clean_latent(scheduler) -> None:
    """One DDIM step to the end with the true target gives the clean latent."""
    for timestep in (999, 500, 1):
        rows = draw_rows(batch(), scheduler, DropConfig(0.0, 0.0, 0.0), seeded(1), only_timestep=timestep)
        scheduler.set_timesteps(scheduler.config.num_train_timesteps)
        clean = scheduler.step(rows.target, timestep, rows.noisy).pred_original_sample
        if scheduler is EPSILON or timestep < 999:
            assert torch.allclose(clean, batch().garment_latent, atol=2e-3)
        else:  # at zero SNR the velocity is minus the clean latent, and the noisy latent is noise alone
            assert torch.allclose(rows.target, -batch().garment_latent, atol=1e-4)
            assert torch.allclose(clean, batch().garment_latent, atol=1e-4)


def test_min_snr_weights() -> None:
    timestep = torch.tensor([0, 200, 500, 999])
    alpha = EPSILON.alphas_cumprod[timestep]
    snr = alpha / (1 - alpha)
    assert torch.allclose(loss_weight(EPSILON, timestep, 5.0), snr.clamp(max=5) / snr)
    assert loss_weight(VELOCITY, timestep, 5.0)[-1] == 1
    assert (loss_weight(VELOCITY, timestep, 5.0).diff() >= 0).all()
    assert torch.equal(loss_weight(EPSILON, timestep, None), torch.ones(4))


def test_row_loss_is_the_weighted_squared_error() -> None:
    rows = draw_rows(batch(), EPSILON, DropConfig(), seeded(2), min_snr_gamma=5.0)
    assert torch.equal(row_loss(rows.target, rows), torch.zeros(3))
    assert torch.allclose(row_loss(rows.target + 2, rows), 4 * rows.weight)
