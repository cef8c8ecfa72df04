"""The diffusion process, independent of any framework: schedule, DDIM (paper section 4.1), guidance (Eq. 2), noise."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from ..errors import IGRError
from ..model.config import NoiseConfig

_LAST_PART = 1 / 3
"""Last fraction of the denoising process, from which attention is read, because the garment has taken shape by then."""
READING_SEED = 0
"""Seed of the noise that is added before the attention is read; the same for every garment."""


def alphas_cumprod(config: NoiseConfig) -> Tensor:
    """Fraction of signal at every timestep, (train_steps,), decreasing; the last is 0 with zero terminal SNR.

    Computed in float64 on the CPU, because not every device supports float64.
    """
    start, end = config.beta_start**0.5, config.beta_end**0.5
    roots = torch.linspace(start, end, config.train_steps, dtype=torch.float64, device="cpu")
    alphas = torch.cumprod(1 - roots**2, dim=0)
    if config.zero_terminal_snr:  # Lin et al. 2023, Algorithm 1: shift the last root to 0, keep the first
        signal = alphas.sqrt()
        alphas = ((signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])) ** 2
    return alphas


def ddim_timesteps(config: NoiseConfig, steps: int) -> list[int]:
    """The timesteps that DDIM visits, decreasing. 25 steps: 961, 921 … 1 (`leading`) or 999, 959 … 39 (`trailing`).

    Raises IGRError for a step count at which timesteps would repeat.
    """
    total = config.train_steps
    if not 1 <= steps <= total // 2:
        raise IGRError(f"steps is {steps}: choose 1 to {total // 2} for this model.")
    if config.timestep_spacing == "trailing":
        return [round(total - i * total / steps) - 1 for i in range(steps)]
    return [int(i * total / steps) + 1 for i in reversed(range(steps))]


def ddim_step(
    latent: Tensor, predicted: Tensor, signal: float, next_signal: float, prediction_type: str
) -> tuple[Tensor, Tensor]:
    """One deterministic DDIM step from signal fraction ᾱ_t to the next; returns (next latent, clean estimate)."""
    clean = clean_estimate(latent, predicted, signal, prediction_type)
    if prediction_type == "v_prediction":
        noise = signal**0.5 * predicted + (1 - signal) ** 0.5 * latent
    else:
        noise = predicted
    return next_signal**0.5 * clean + (1 - next_signal) ** 0.5 * noise, clean


def clean_estimate(latent: Tensor, predicted: Tensor, signal: float, prediction_type: str) -> Tensor:
    """The latents without noise, as estimated from the denoiser's prediction at signal fraction ᾱ_t."""
    if prediction_type == "v_prediction":
        return signal**0.5 * latent - (1 - signal) ** 0.5 * predicted
    return (latent - (1 - signal) ** 0.5 * predicted) / signal**0.5


def guide(conditional: Tensor, unconditional: Tensor, guidance: float) -> Tensor:
    """Eq. 2: guidance * conditional + (1 - guidance) * unconditional."""
    return guidance * conditional + (1.0 - guidance) * unconditional


def is_guided(timestep: int, config: NoiseConfig, start: float, end: float) -> bool:
    """Whether guidance is on at a timestep, between two fractions of the denoising process (Kynkäänniemi et al. 2024).

    0 is the first timestep, which is pure noise, and 1 the last, as in ComfyUI's percentages.
    """
    last = config.train_steps - 1
    return (1 - end) * last <= timestep <= (1 - start) * last


Seeds = int | Sequence[int]
"""The seed of the first image, in which case image i uses seed + i, or one seed per image."""


def draw_noise(shape: Sequence[int], seed: Seeds) -> Tensor:
    """Noise (B, C, h, w) in float32; each image has its own seed, so a batch gives the same results as single runs.

    Seeds are taken modulo 2^64, so that the largest is followed by 0.
    """
    seeds = as_integers(seed)
    generators = (
        torch.Generator().manual_seed(one % 2**64)
        for one in (range(seeds, seeds + shape[0]) if isinstance(seeds, int) else seeds)
    )
    rows = [torch.randn(tuple(shape[1:]), generator=one, dtype=torch.float32) for one in generators]
    return torch.stack(rows)


def as_integers(seed: Seeds) -> int | list[int]:
    """The seeds as Python's integers, because those of NumPy cannot be larger than 64 bits."""
    return int(seed) if isinstance(seed, (int, Integral)) else [int(one) for one in seed]


def shifted(seed: Seeds, by: int) -> Seeds:
    """The seeds, each shifted by a number."""
    seeds = as_integers(seed)
    return seeds + by if isinstance(seeds, int) else [one + by for one in seeds]


def reading_timesteps(config: NoiseConfig, count: int) -> tuple[int, ...]:
    """`count` timesteps, noisiest first, spread evenly over the last part of the denoising process."""
    last = config.train_steps * _LAST_PART
    return tuple(int(last * (2 * number + 1) / (2 * count)) for number in reversed(range(count)))


def noised(latent: Tensor, config: NoiseConfig, timestep: int, noise: Tensor | None = None) -> Tensor:
    """Latents (B, C, h, w) at a timestep of the forward process (paper section 3.1); by default, all have the same
    noise."""
    kept = float(alphas_cumprod(config)[timestep])
    noise = draw_noise((1, *latent.shape[1:]), READING_SEED) if noise is None else noise
    return kept**0.5 * latent + (1 - kept) ** 0.5 * noise.to(latent)


def keep_clean(
    latent: Tensor, predicted: Tensor, clean: Tensor, keep: Tensor, config: NoiseConfig, timestep: int
) -> Tensor:
    """A prediction (B, C, h, w) whose clean estimate is `clean` where `keep` (B, 1, h, w) is 1, for inpainting.

    Source: RePaint (Lugmayr et al. 2022), applied to the clean estimate as ComfyUI does.
    """
    signal = float(alphas_cumprod(config)[timestep])
    own = clean_estimate(latent, predicted, signal, config.prediction_type)
    mixed = keep * clean + (1 - keep) * own
    noise = (latent - signal**0.5 * mixed) / (1 - signal) ** 0.5
    return signal**0.5 * noise - (1 - signal) ** 0.5 * mixed if config.prediction_type == "v_prediction" else noise
