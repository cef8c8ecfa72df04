"""The diffusion process against diffusers' own scheduler, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from igr_core.errors import IGRError
from igr_core.model.config import NoiseConfig
from igr_core.model.networks import build_scheduler
from igr_core.sampling.schedule import alphas_cumprod, ddim_step, ddim_timesteps, draw_noise, guide, shifted

SD15 = NoiseConfig()
SMALL = NoiseConfig(prediction_type="v_prediction", zero_terminal_snr=True, timestep_spacing="trailing")
both = pytest.mark.parametrize("config", [SD15, SMALL], ids=["sd15", "igr-small"])


def reference(config: NoiseConfig) -> DDIMScheduler:
    """diffusers' DDIM with the same process, ending at the clean latent."""
    offset = 1 if config.timestep_spacing == "leading" else 0
    spacing = config.timestep_spacing
    return DDIMScheduler.from_config(
        build_scheduler(config).config, timestep_spacing=spacing, steps_offset=offset, set_alpha_to_one=True
    )


@both
def test_schedule_is_that_of_diffusers(config: NoiseConfig) -> None:
    assert (alphas_cumprod(config) - build_scheduler(config).alphas_cumprod.double()).abs().max() < 1e-6


def test_zero_terminal_snr_ends_in_pure_noise() -> None:
    assert alphas_cumprod(SMALL)[-1] == 0
    assert alphas_cumprod(SD15)[-1] > 0.004


def test_the_papers_25_steps() -> None:
    assert ddim_timesteps(SD15, 25) == list(range(961, 0, -40))
    assert ddim_timesteps(SMALL, 25) == list(range(999, 0, -40))


@both
@pytest.mark.parametrize("steps", [1, 4, 10, 25, 50, 100, 250, 500])
def test_timesteps_are_those_of_diffusers_where_they_divide(config: NoiseConfig, steps: int) -> None:
    scheduler = reference(config)
    scheduler.set_timesteps(steps)
    assert ddim_timesteps(config, steps) == scheduler.timesteps.tolist()


@both
@pytest.mark.parametrize("steps", [3, 7, 30, 333, 499])
def test_timesteps_of_any_count_fall_and_start_at_the_noisy_end(config: NoiseConfig, steps: int) -> None:
    timesteps = ddim_timesteps(config, steps)
    assert len(timesteps) == steps == len(set(timesteps))
    assert timesteps == sorted(timesteps, reverse=True)
    assert 0 <= timesteps[-1] and 1000 - 1000 / steps - 1 <= timesteps[0] <= 999


@both
@pytest.mark.parametrize("steps", [0, -1, 501, 5000])
def test_step_counts_out_of_range_are_refused(config: NoiseConfig, steps: int) -> None:
    with pytest.raises(IGRError, match=f"steps is {steps}: choose 1 to 500"):
        ddim_timesteps(config, steps)


@both
def test_whole_trajectory_is_that_of_diffusers(config: NoiseConfig) -> None:
    scheduler = reference(config)
    scheduler.set_timesteps(25)
    ours = theirs = draw_noise((2, 4, 8, 6), 0)
    timesteps = ddim_timesteps(config, 25)
    signals = [float(x) for x in alphas_cumprod(config)[timesteps]] + [1.0]
    for i, timestep in enumerate(timesteps):
        predicted = torch.tanh(ours * 0.3 + timestep / 1000)
        ours, _ = ddim_step(ours, predicted, signals[i], signals[i + 1], config.prediction_type)
        theirs = scheduler.step(torch.tanh(theirs * 0.3 + timestep / 1000), timestep, theirs).prev_sample
    assert torch.isfinite(ours).all()
    assert torch.allclose(ours, theirs, atol=1e-4)


@both
def test_true_prediction_leads_to_the_clean_latent(config: NoiseConfig) -> None:
    clean, noise = draw_noise((1, 4, 8, 6), 1), draw_noise((1, 4, 8, 6), 2)
    timesteps = ddim_timesteps(config, 10)
    signals = [float(x) for x in alphas_cumprod(config)[timesteps]] + [1.0]
    latent = signals[0] ** 0.5 * clean + (1 - signals[0]) ** 0.5 * noise
    for i in range(10):
        target = noise
        if config.prediction_type == "v_prediction":
            target = signals[i] ** 0.5 * noise - (1 - signals[i]) ** 0.5 * clean
        latent, estimate = ddim_step(latent, target, signals[i], signals[i + 1], config.prediction_type)
        assert torch.allclose(estimate, clean, atol=1e-3)
    assert torch.allclose(latent, clean, atol=1e-3)


def test_guidance_is_equation_2() -> None:
    conditional, unconditional = torch.tensor([3.0]), torch.tensor([1.0])
    assert guide(conditional, unconditional, 1.0) == conditional
    assert guide(conditional, unconditional, 0.0) == unconditional
    assert guide(conditional, unconditional, 1.5).item() == 4.0


def test_noise_of_a_batch_is_that_of_single_runs() -> None:
    batch = draw_noise((3, 4, 8, 6), 10)
    assert all(torch.equal(batch[i], draw_noise((1, 4, 8, 6), 10 + i)[0]) for i in range(3))
    assert not torch.equal(batch[0], batch[1])


def test_seeds_may_be_integers_of_numpy() -> None:
    same = draw_noise((2, 4, 8, 6), 3)
    assert torch.equal(draw_noise((2, 4, 8, 6), np.int64(3)), same)  # type: ignore[arg-type]
    assert torch.equal(draw_noise((2, 4, 8, 6), np.array([3, 4])), same)  # type: ignore[arg-type]
    assert shifted(np.uint64(2**64 - 1), 1) == 2**64  # type: ignore[arg-type]


def test_zero_terminal_snr_requires_v_prediction_and_trailing() -> None:
    for wrong in ({}, {"prediction_type": "v_prediction"}, {"timestep_spacing": "trailing"}):
        with pytest.raises(IGRError, match="zero_terminal_snr needs"):
            NoiseConfig(zero_terminal_snr=True, **wrong)
