"""ComfyUI's samplers and schedulers, the paper's DDIM (section 4.1), and reading the attention afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import latent_preview
import torch
from torch import Tensor
from tqdm.auto import trange

from ...igr_core.detail.readout import Readout
from ...igr_core.errors import IGRError
from ...igr_core.model.detail_config import ReadoutConfig
from ...igr_core.ranges import Range
from ...igr_core.sampling.presets import Sampling
from ...igr_core.sampling.schedule import (
    READING_SEED,
    ddim_step,
    ddim_timesteps,
    draw_noise,
    is_guided,
    reading_timesteps,
)
from .garmfus_patch import NOTES, Notes, with_images
from .locking import after_click
from .networks import ALMOST_NO_SIGNAL

PAPER_SCHEDULE = "ddim (paper)"
"""Name of the schedule with the timesteps of igr_core.sampling.schedule."""


def sampler_names() -> list[str]:
    """ComfyUI's samplers, the paper's ddim first."""
    return ["ddim", *(name for name in comfy.samplers.SAMPLER_NAMES if name != "ddim")]


def schedule_names() -> list[str]:
    """The paper's schedule and ComfyUI's schedulers."""
    return [PAPER_SCHEDULE, *comfy.samplers.SCHEDULER_NAMES]


@dataclass(frozen=True)
class HostSampling:
    """Settings of IGR Sample: those of igr_core.sampling.presets.Sampling, with ComfyUI's samplers and schedulers."""

    steps: int
    """Denoising steps."""
    guidance: float
    """Classifier-free guidance scale (Eq. 2)."""
    guidance_start: float
    """Point in the denoising process, as a fraction, at which guidance starts."""
    guidance_end: float
    """Point in the denoising process, as a fraction, at which guidance ends."""
    sampler: str
    """One of sampler_names."""
    schedule: str
    """One of schedule_names."""
    denoise: float = 1.0
    """Fraction of the noise levels to run, in 0..1."""

    def __post_init__(self) -> None:
        Range(0, 1, above=True).check(self.denoise, "denoise")
        Sampling(self.steps, self.guidance, self.guidance_start, self.guidance_end)


def check_latent(model: Any, samples: Tensor) -> None:
    """Raise IGRError for latents that the model cannot denoise: with a wrong shape, empty or not finite."""
    channels = model.get_model_object("latent_format").latent_channels
    if samples.ndim != 4 or samples.shape[1] != channels or 0 in samples.shape:
        raise IGRError(
            f"The latent has shape {tuple(samples.shape)}, but this model needs (batch, {channels}, height, width): "
            "connect IGR Apply's latent."
        )
    if not bool(torch.isfinite(samples).all()):
        raise IGRError("The latent contains NaN or infinite values: connect IGR Apply's latent.")


def sample(
    model: Any,
    noise: Tensor,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    *,
    seed: int,
    settings: HostSampling,
) -> Tensor:
    """Denoise float32 noise (B, 4, h, w) with ComfyUI's samplers to latents (B, 4, h, w) as in a LATENT.

    The sampler ddim with the paper's schedule gives the same result as igr_core.sampling.loop.sample_latents.
    ComfyUI handles progress, previews and interruptions.
    """
    model_sampling, noise_config = model.get_model_object("model_sampling"), model.model.model_config.noise
    total = round(settings.steps / settings.denoise)  # of which the last `steps` are run
    if settings.denoise < 1 and total > noise_config.train_steps // 2:
        raise IGRError(
            f"{settings.steps} steps at a denoise of {settings.denoise:g} are too many for this model: use at most "
            f"{int(noise_config.train_steps // 2 * settings.denoise)} steps, or a higher denoise."
        )
    if settings.schedule == PAPER_SCHEDULE:
        timesteps = ddim_timesteps(noise_config, total)
        sigmas = torch.cat([_sigmas_at(model_sampling, timesteps), torch.zeros(1)])
    else:
        sigmas = comfy.samplers.calculate_sigmas(model_sampling, settings.schedule, total).cpu()
    if settings.denoise < 1:
        sigmas = sigmas[-settings.steps - 1 :]
    if not bool(torch.isfinite(sigmas).all()):  # kl_optimal with one step
        raise IGRError(
            f"{settings.schedule} does not work with steps = {settings.steps}: use more steps, or another schedule."
        )
    after_click()
    by_paper = settings.sampler == "ddim" and settings.schedule == PAPER_SCHEDULE
    method = (
        _Ddim(noise_config.prediction_type, settings.denoise == 1)
        if by_paper
        else comfy.samplers.sampler_object(settings.sampler)
    )
    guider = _Guider(model, (settings.guidance_start, settings.guidance_end))
    guider.set_conds(positive, negative)
    guider.set_cfg(settings.guidance)
    if latent.get("batch_index") is not None:
        guider.model_options = with_images(guider.model_options, latent["batch_index"])
    samples = guider.sample(
        noise,
        latent["samples"],
        method,
        sigmas,
        denoise_mask=latent.get("noise_mask"),
        callback=latent_preview.prepare_callback(model, len(sigmas) - 1),
        seed=seed,
    )
    management = comfy.model_management
    dtype = getattr(management, "intermediate_dtype", lambda: samples.dtype)()  # unknown to v0.3.64
    return samples.to(management.intermediate_device(), dtype)


def _sigmas_at(model_sampling: Any, timesteps: Sequence[int]) -> Tensor:
    """The model's noise levels at these timesteps, on the CPU.

    They are interpolated if another node, such as one for LCM, has replaced them with fewer noise levels.
    """
    if len(model_sampling.sigmas) > max(timesteps):
        return model_sampling.sigmas[list(timesteps)].cpu()
    return model_sampling.sigma(torch.tensor(timesteps, dtype=torch.float32, device=model_sampling.sigmas.device)).cpu()


def read_attention(model: Any, positive: Any, samples: Tensor, config: ReadoutConfig) -> Readout:
    """Read the attention of latents (B, C, h, w) as in a LATENT; `model` and `positive` come from IGR Apply.

    Gives the same result as igr_core.restore.reading.read_attention. Raises IGRError if the denoiser has no reference
    at the timesteps that are read.
    """
    sampling, noise_config = model.get_model_object("model_sampling"), model.model.model_config.noise
    sigmas = _sigmas_at(sampling, reading_timesteps(noise_config, config.steps))
    readout = Readout(config, (samples.shape[2], samples.shape[3]), samples.shape[0])
    after_click()
    comfy.sample.sample_custom(
        model,
        torch.zeros_like(samples),
        1.0,
        _Reader(readout),
        torch.cat([sigmas, torch.zeros(1)]),
        positive,
        positive,
        samples,
        disable_pbar=True,
    )
    return readout


class _Guider(comfy.samplers.CFGGuider):
    """Classifier-free guidance in one interval of the denoising process; elsewhere, only the positive conditioning."""

    def __init__(self, model: Any, interval: tuple[float, float]) -> None:
        super().__init__(model)
        self.interval = interval
        self.config = model.model.model_config.noise

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: int | None = None) -> Any:
        """The guided prediction at a noise level, which ComfyUI calls the timestep."""
        scale = self.cfg
        if self.interval != (0.0, 1.0):
            place = self.inner_model.model_sampling.timestep(timestep.flatten()[:1])
            if not is_guided(int(place), self.config, *self.interval):
                self.cfg = 1.0
        try:
            return super().predict_noise(x, timestep, model_options or {}, seed)
        finally:
            self.cfg = scale


class _Ddim(comfy.samplers.KSAMPLER):
    """The paper's DDIM on ComfyUI's sigmas, with igr_core.sampling.schedule.

    It is exact even at the noise level where no signal is left.
    """

    def __init__(self, prediction_type: str, from_noise: bool) -> None:
        super().__init__(self._run)
        self.prediction_type = prediction_type
        self.from_noise = from_noise

    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool:
        """Whether to start from full-strength noise: at any timestep, unless sampling starts from an image."""
        return self.from_noise

    def _run(
        self, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, disable: bool | None
    ) -> Tensor:
        levels = sigmas.tolist()  # as Python floats, because not every device has float64
        scales = [
            math.sqrt(1 + level**2) for level in levels
        ]  # ComfyUI's latents are larger than DDIM's by this factor
        signals = [scale**-2 if scale**-2 > 1.01 * ALMOST_NO_SIGNAL else 0.0 for scale in scales]
        latent = x / scales[0]
        for i in trange(len(sigmas) - 1, disable=disable):
            sigma, noisy = levels[i], latent * scales[i]
            clean = model(noisy, sigmas[i] * noisy.new_ones(noisy.shape[0]), **extra_args)
            callback({"x": noisy, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": clean})
            if self.prediction_type == "v_prediction":
                predicted = (latent - clean * scales[i]) / sigma
            else:
                predicted = (noisy - clean) / sigma
            latent, _ = ddim_step(latent, predicted, signals[i], signals[i + 1], self.prediction_type)
        return latent * scales[-1]


_GUIDANCE = (
    "disable_cfg1_optimization",
    "sampler_cfg_function",
    "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
)
"""Model options with which other nodes change the guidance."""


class _Reader(comfy.samplers.KSAMPLER):
    """A sampler that returns the latents unchanged: it adds noise, calls the denoiser, and records the attention."""

    def __init__(self, readout: Readout) -> None:
        super().__init__(self._run)
        self.readout = readout

    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool:
        """False, because the latents are not noise."""
        return False

    def _run(
        self, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, disable: bool | None
    ) -> Tensor:
        noise = draw_noise((1, *x.shape[1:]), READING_SEED).to(x)
        # use only the positive conditioning, once; other nodes' guidance would call the denoiser again
        options = {name: value for name, value in extra_args["model_options"].items() if name not in _GUIDANCE}
        for sigma in sigmas[:-1]:
            notes = Notes(self.readout.empty_notes())
            transformer = {**options.get("transformer_options", {}), NOTES: notes}
            args = {**extra_args, "model_options": {**options, "transformer_options": transformer}}
            model(x + sigma * noise, sigma * x.new_ones(x.shape[0]), **args)
            if not any(notes.by_block.values()):
                raise IGRError(
                    "The model does not attend to the photo at the end of sampling, so there is no evidence to read: "
                    "connect IGR Apply's model, with reference_strength above 0, end_percent at 1, and "
                    "level_strengths above 0."
                )
            self.readout.add(notes.by_block)
        return x
