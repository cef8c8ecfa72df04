"""The samplers' steps from one noise level to the next: the paper's DDIM, and others for comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from ..model.config import NoiseConfig
from .presets import Sampler
from .schedule import Seeds, alphas_cumprod, clean_estimate, ddim_step, ddim_timesteps, draw_noise, shifted

Step = Callable[[int, Tensor, Tensor], Tensor]
"""Index of the step, latents (B, C, h, w), and the denoiser's prediction for them -> the next latents."""

_SEEDS_APART = 2**40
"""Distance between the seeds of successive steps, larger than any batch."""
_SOLVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dpmpp_2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "uni_pc": (UniPCMultistepScheduler, {"solver_order": 2}),
}


def plan_steps(config: NoiseConfig, sampler: Sampler, steps: int, seed: Seeds) -> tuple[list[int], Step]:
    """The timesteps of one sampling run, decreasing, and the function that takes its steps in this order.

    Samplers that add noise draw it with these seeds. Raises IGRError for an unsupported step count.
    """
    timesteps = ddim_timesteps(config, steps)
    if sampler in _SOLVERS:
        return _solver(config, sampler, steps)
    signals = [float(x) for x in alphas_cumprod(config)[timesteps]] + [1.0]

    def ddim(number: int, latent: Tensor, predicted: Tensor) -> Tensor:
        return ddim_step(latent, predicted, signals[number], signals[number + 1], config.prediction_type)[0]

    def lcm(number: int, latent: Tensor, predicted: Tensor) -> Tensor:
        clean, kept = clean_estimate(latent, predicted, signals[number], config.prediction_type), signals[number + 1]
        if kept == 1.0:
            return clean
        noise = draw_noise(latent.shape, shifted(seed, _SEEDS_APART * (number + 1))).to(latent)
        return kept**0.5 * clean + (1 - kept) ** 0.5 * noise

    return timesteps, lcm if sampler == "lcm" else ddim


def _solver(config: NoiseConfig, sampler: str, steps: int) -> tuple[list[int], Step]:
    kind, options = _SOLVERS[sampler]
    solver = kind(
        num_train_timesteps=config.train_steps,
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        beta_schedule="scaled_linear",
        prediction_type=config.prediction_type,
        timestep_spacing=config.timestep_spacing,
        rescale_betas_zero_snr=config.zero_terminal_snr,
        steps_offset=1,
        **options,
    )
    solver.set_timesteps(steps)

    def step(number: int, latent: Tensor, predicted: Tensor) -> Tensor:
        return solver.step(predicted, solver.timesteps[number], latent).prev_sample

    return solver.timesteps.tolist(), step
