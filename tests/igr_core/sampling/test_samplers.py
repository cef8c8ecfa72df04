"""Samplers, the interval with guidance, and presets."""

from __future__ import annotations

from dataclasses import astuple
from typing import get_args

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import NoiseConfig
from igr_core.sampling.loop import StartImages, sample_latents
from igr_core.sampling.presets import PRESETS, Preset, Sampler, Sampling, chosen
from igr_core.sampling.samplers import plan_steps
from igr_core.sampling.schedule import alphas_cumprod, ddim_timesteps, draw_noise, is_guided

from ...support.models.tiny import MODEL

ZERO_SNR = NoiseConfig("v_prediction", zero_terminal_snr=True, timestep_spacing="trailing")
SHAPE = (2, 4, 8, 6)


def follow(config: NoiseConfig, sampler: Sampler, steps: int, clean: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Sample with a perfect denoiser, which knows the clean latents."""
    latent = draw_noise(tuple(clean.shape), seed)
    timesteps, step = plan_steps(config, sampler, steps, seed)
    alphas = alphas_cumprod(config)
    for number, timestep in enumerate(timesteps):
        signal = float(alphas[timestep])
        noise = (latent - signal**0.5 * clean) / (1 - signal) ** 0.5
        velocity = signal**0.5 * noise - (1 - signal) ** 0.5 * clean
        latent = step(number, latent, velocity if config.prediction_type == "v_prediction" else noise)
    return latent


@pytest.mark.parametrize("config", [ZERO_SNR, NoiseConfig()], ids=["zero-snr", "sd15"])
@pytest.mark.parametrize("steps", [1, 2, 5, 20])
@pytest.mark.parametrize("sampler", get_args(Sampler))
def test_every_sampler_ends_at_what_a_perfect_denoiser_knows(sampler: Sampler, steps: int, config: NoiseConfig) -> None:
    clean = draw_noise(SHAPE, 99)
    assert torch.allclose(follow(config, sampler, steps, clean), clean, atol=5e-2)


@pytest.mark.parametrize("sampler", get_args(Sampler))
def test_image_i_of_a_batch_has_seed_plus_i(sampler: Sampler) -> None:
    clean = draw_noise(SHAPE, 99)
    alone = follow(ZERO_SNR, sampler, 4, clean[1:] * 0.5, seed=8)
    torch.testing.assert_close(follow(ZERO_SNR, sampler, 4, clean * 0.5, seed=7)[1:], alone)


def test_samplers_take_different_steps() -> None:
    noisy, predicted = draw_noise(SHAPE, 1), draw_noise(SHAPE, 2)
    found = []
    for sampler in get_args(Sampler):
        _, step = plan_steps(ZERO_SNR, sampler, 4, 0)
        latent = step(0, noisy, predicted)
        found.append(step(1, latent, predicted * 0.3))
    assert all((one - other).abs().max() > 1e-2 for i, one in enumerate(found) for other in found[:i])


@pytest.mark.parametrize(
    ("start", "end", "guided"),
    [(0.0, 1.0, 5), (0.0, 0.5, 3), (0.5, 1.0, 2), (0.3, 0.7, 2), (0.9, 0.95, 0), (0.0, 0.0, 1)],
)
def test_guidance_is_on_between_two_fractions_of_the_process(start: float, end: float, guided: int) -> None:
    timesteps = ddim_timesteps(ZERO_SNR, 5)  # 999, 799, 599, 399, 199
    assert sum(is_guided(timestep, ZERO_SNR, start, end) for timestep in timesteps) == guided


def conditions_and_model():
    from igr_core.model.igr import IGR
    from igr_core.sampling.loop import Conditions

    torch.manual_seed(0)
    model = IGR(MODEL).eval()
    with torch.no_grad():
        features = model.encode_reference(torch.randn(SHAPE), torch.ones(2, 1, *SHAPE[2:]), ["upper", "full"])
    return model, Conditions(["upper", "full"], features, None)


def test_steps_without_guidance_run_the_conditional_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    model, conditions = conditions_and_model()
    rows: list[int] = []
    denoise = model.denoise
    monkeypatch.setattr(model, "denoise", lambda x, *rest: rows.append(len(x)) or denoise(x, *rest))
    noise = draw_noise(SHAPE, 0)
    part = sample_latents(model, noise, conditions, Sampling(4, 2.0, guidance_end=0.5))
    assert rows == [4, 4, 2, 2]
    whole = sample_latents(model, noise, conditions, Sampling(4, 2.0))
    never = sample_latents(model, noise, conditions, Sampling(4, 1.0))
    outside = sample_latents(model, noise, conditions, Sampling(4, 2.0, guidance_start=0.9, guidance_end=0.95))
    assert torch.equal(never, outside)
    assert (part - whole).abs().max() > 1e-4 and (part - never).abs().max() > 1e-4


def test_presets_can_be_changed_one_setting_at_a_time() -> None:
    assert list(PRESETS) == list(get_args(Preset))
    assert PRESETS["paper"] == Sampling() == Sampling(25, 1.5, 0.0, 1.0, "ddim")
    rows = [one.steps * (1 if one.guidance == 1 else 2) for one in PRESETS.values()]
    assert rows == sorted(rows), "from the fastest"
    for name, preset in PRESETS.items():
        assert chosen(name) == preset
        changed = chosen(name, None, 3.0)
        assert astuple(changed) == (preset.steps, 3.0, *astuple(preset)[2:])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([0], "steps is 0"),
        ([None, None, -0.1], "guidance_start is -0.1"),
        ([None, None, None, 1.5], "guidance_end is 1.5"),
        ([None, None, 0.6, 0.5], "the start must not be after the end"),
    ],
)
def test_settings_out_of_range_are_named(changes: list, words: str) -> None:
    with pytest.raises(IGRError, match=words):
        chosen("standard", *changes)


def test_the_largest_seed_of_a_batch_is_followed_by_zero() -> None:
    batch = draw_noise(SHAPE, 2**64 - 1)
    assert torch.equal(batch, torch.cat([draw_noise((1, *SHAPE[1:]), seed) for seed in (2**64 - 1, 0)]))
    assert torch.equal(draw_noise(SHAPE, 2**64 + 5), draw_noise(SHAPE, 5))


@pytest.mark.parametrize("sampler", get_args(Sampler))
def test_cells_to_keep_end_as_they_began(sampler: Sampler) -> None:
    model, conditions = conditions_and_model()
    clean, keep = draw_noise(SHAPE, 5), torch.zeros(2, 1, *SHAPE[2:])
    keep[..., :3] = 1
    found = sample_latents(
        model, draw_noise(SHAPE, 1), conditions, Sampling(4, sampler=sampler), start=StartImages(clean, keep, 0.5)
    )
    torch.testing.assert_close(found[..., :3], clean[..., :3], atol=2e-2, rtol=0)
    assert (found[..., 3:] - clean[..., 3:]).abs().mean() > 0.05


def test_starting_from_images_takes_the_given_number_of_steps() -> None:
    model, conditions = conditions_and_model()
    seen: list[tuple[int, int]] = []
    sample_latents(
        model,
        draw_noise(SHAPE, 1),
        conditions,
        Sampling(4),
        start=StartImages(draw_noise(SHAPE, 5), torch.zeros(2, 1, *SHAPE[2:]), 0.5),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_less_noise_stays_closer_to_the_images() -> None:
    model, conditions = conditions_and_model()
    clean, keep = draw_noise(SHAPE, 5), torch.zeros(2, 1, *SHAPE[2:])
    apart = []
    for denoise in (0.1, 0.5, 1.0):
        start = StartImages(clean, keep, denoise)
        found = sample_latents(model, draw_noise(SHAPE, 1), conditions, Sampling(4), start=start)
        apart.append(float((found - clean).abs().mean()))
    assert apart == sorted(apart) and apart[0] < 0.7 * apart[2]


@pytest.mark.parametrize("denoise", [0.0, -0.5, 1.5, float("nan")])
def test_a_denoise_out_of_range_is_refused(denoise: float) -> None:
    with pytest.raises(IGRError, match="denoise is"):
        StartImages(torch.zeros(SHAPE), torch.zeros(2, 1, 8, 6), denoise)
