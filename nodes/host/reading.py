"""Read the reference self-attention of restored latents, by a few calls of the denoiser inside ComfyUI."""

from __future__ import annotations

from typing import Any

import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ...igr_core.detail.readout import Readout
from ...igr_core.errors import IGRError
from ...igr_core.model.detail_config import ReadoutConfig
from ...igr_core.restore.reading import SEED, reading_timesteps
from ...igr_core.restore.schedule import draw_noise
from .garmfus_patch import NOTES, Notes
from .locking import after_click


def read_attention(model: Any, positive: Any, samples: Tensor, config: ReadoutConfig) -> Readout:
    """Read the attention of latents (B, C, h, w) as in a LATENT; `model` and `positive` are those of IGR Apply.

    Equals igr_core.restore.reading.read_attention. Raises IGRError if the denoiser has no reference at these timesteps.
    """
    sampling, noise_config = model.get_model_object("model_sampling"), model.model.model_config.noise
    sigmas = sampling.sigmas[list(reading_timesteps(noise_config, config.steps))].cpu()
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


class _Reader(comfy.samplers.KSAMPLER):
    """A sampler that changes nothing: it adds noise to the latents, calls the denoiser, and keeps the attention."""

    def __init__(self, readout: Readout) -> None:
        super().__init__(self._run)
        self.readout = readout

    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool:
        """The latents are not noise."""
        return False

    def _run(
        self, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, disable: bool | None
    ) -> Tensor:
        noise = draw_noise((1, *x.shape[1:]), SEED).to(x)
        options = extra_args["model_options"]
        for sigma in sigmas[:-1]:
            notes = Notes(self.readout.empty_notes())
            transformer = {**options.get("transformer_options", {}), NOTES: notes}
            args = {**extra_args, "model_options": {**options, "transformer_options": transformer}}
            model(x + sigma * noise, sigma * x.new_ones(x.shape[0]), **args)
            if not any(notes.by_block.values()):
                raise IGRError(
                    "The model does not look at the photo at the end of sampling, so there is no evidence to read: "
                    "connect IGR Apply's model, with reference_strength above 0 and end_percent 1."
                )
            self.readout.add(notes.by_block)
        return x
