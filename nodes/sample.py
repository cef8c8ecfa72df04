"""IGR Sample: the paper's DDIM sampling (section 4.1) with ComfyUI's samplers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..igr_core.errors import IGRError
from ..igr_core.sampling.presets import PRESETS
from ..igr_core.sampling.schedule import draw_noise
from ..igr_core.text import counted
from .host import sampling
from .host.encoding import SHOWN, Reference
from .host.garmfus_patch import has_reference, reference_of
from .host.marks import check_positive, uses_reference
from .host.networks import check_denoiser
from .images import check_finite
from .schema import advanced, check_option, schema, whole

MAX_SEED = 2**63 - 1
"""Maximum seed, which leaves space for the seeds of a batch below torch's limit."""
CUSTOM = "custom"
"""Option of the preset input that uses the values of the node's other inputs."""

_RATIO = 0.02
"""Largest relative difference in aspect ratio between latent and reference; a whole cell is always allowed."""


class IGRSample(io.ComfyNode):
    """Restore garments from noise."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        made = schema(
            node_id="IGRSample",
            display_name="IGR Sample",
            description="Restores the garment from noise, with the paper's DDIM timesteps and defaults. Image i of a "
            "batch uses seed + i, so a batch gives the same results as single runs.",
            search_aliases=["garment sampler", "ddim sampler", "ghost mannequin", "flat lay"],
            inputs=[
                io.Model.Input("model", tooltip="From IGR Apply."),
                io.Conditioning.Input("positive", tooltip="From IGR Apply."),
                io.Conditioning.Input("negative", tooltip="From IGR Apply."),
                io.Latent.Input(
                    "latent",
                    tooltip="An empty latent with one image per photo, from IGR Apply, or Flatten Garment's latent.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="Seed of the first image's noise; the same seed gives the same result.",
                ),
                io.Int.Input(
                    "steps",
                    default=25,
                    min=1,
                    max=500,
                    tooltip="Denoising steps. igr-small needs 4; the paper uses 25.",
                ),
                io.Float.Input(
                    "guidance",
                    default=1.5,
                    min=1.0,
                    max=30.0,
                    step=0.1,
                    round=0.01,
                    tooltip="How closely to follow the photo (classifier-free guidance). 1.5 in the paper; 1 turns "
                    "guidance off, which halves the time per step.",
                ),
                io.Combo.Input(
                    "preset",
                    options=[CUSTOM, *PRESETS],
                    default=CUSTOM,
                    optional=True,
                    tooltip="draft is the fastest, standard is recommended for igr-small, and paper has the paper's "
                    "settings. A preset overrides every setting except the seed and denoise; custom uses the "
                    "node's own values.",
                ),
                advanced(
                    io.Combo.Input,
                    "sampler",
                    options=sampling.sampler_names(),
                    default="ddim",
                    tooltip="ddim is the sampler of the paper; the others are ComfyUI's.",
                ),
                advanced(
                    io.Combo.Input,
                    "schedule",
                    options=sampling.schedule_names(),
                    default=sampling.PAPER_SCHEDULE,
                    tooltip="Noise levels of the steps: the paper's timesteps, or one of ComfyUI's schedulers.",
                ),
                advanced(
                    io.Float.Input,
                    "guidance_start",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Point in the denoising process, as a fraction, at which guidance starts. Earlier steps "
                    "run without it and take half as long.",
                ),
                advanced(
                    io.Float.Input,
                    "guidance_end",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Point in the denoising process, as a fraction, at which guidance ends. Later steps "
                    "run without it and take half as long.",
                ),
                advanced(
                    io.Float.Input,
                    "denoise",
                    default=1.0,
                    min=0.01,
                    max=1.0,
                    step=0.05,
                    round=0.01,
                    tooltip="Fraction of the noise levels to run. 1 replaces the latent's image, wherever its noise "
                    "mask allows; use 0.5 with Flatten Garment's latent. The number of steps stays the same.",
                ),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latent", tooltip="The restored garment. Decode it with VAE Decode and IGR Load's VAE."
                )
            ],
        )
        preset = next(one for one in made.inputs if one.id == "preset")
        preset.extra_dict = {"presets": {name: _widgets(name) for name in PRESETS}}  # no argument in ComfyUI v0.3.64
        return made

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        negative: Any,
        latent: dict[str, Any],
        seed: int,
        steps: int,
        guidance: float,
        preset: str = CUSTOM,
        sampler: str = "ddim",
        schedule: str = sampling.PAPER_SCHEDULE,
        guidance_start: float = 0.0,
        guidance_end: float = 1.0,
        denoise: float = 1.0,
    ) -> io.NodeOutput:
        """Sample with ComfyUI."""
        check_option("preset", preset, (CUSTOM, *PRESETS))
        check_option("sampler", sampler, sampling.sampler_names())
        check_option("schedule", schedule, sampling.schedule_names())
        check_denoiser(model)
        if uses_reference(positive) and not has_reference(model):
            raise IGRError(
                "The model has no reference, so the photo would not be used: connect IGR Apply's model to IGR Sample."
            )
        if has_reference(model):
            check_positive(positive)
        seed, steps = whole("seed", seed, 0, 2**64 - 1), whole("steps", steps, 1, 500)
        sampling.check_latent(model, latent["samples"])
        noise = draw_batch_noise(latent, seed)
        if has_reference(model):
            _check_latent(latent, reference_of(model))
        if denoise < 1 and not bool(latent["samples"].any()):
            raise IGRError(
                f"The latent is empty, so it cannot be denoised by {denoise:g}: connect Flatten Garment's latent, or "
                "set denoise to 1."
            )
        if preset == CUSTOM:
            settings = sampling.HostSampling(steps, guidance, guidance_start, guidance_end, sampler, schedule, denoise)
        else:
            settings = sampling.HostSampling(**_widgets(preset), denoise=denoise)
        samples = sampling.sample(
            model,
            noise,
            positive,
            negative,
            latent,
            seed=seed,
            settings=settings,
        )
        check_finite(samples, "restored latent")
        rest = {name: value for name, value in latent.items() if not name.startswith(("downscale_ratio", SHOWN))}
        return io.NodeOutput({**rest, "samples": samples})


def _check_latent(latent: dict[str, Any], reference: Reference) -> None:
    """Raise IGRError for a latent of another aspect ratio than the reference, or of other photos' flat garments."""
    (height, width), (tall, wide) = latent["samples"].shape[-2:], reference.latent_shape[-2:]
    if abs(height * wide - width * tall) > max(_RATIO * height * wide, tall, wide):
        f = reference.config.vae.downscale
        raise IGRError(
            f"The latent is {width * f}x{height * f}, but the photo was encoded at {wide * f}x{tall * f}: connect IGR "
            "Apply's latent, or one of the same aspect ratio."
        )
    given = latent.get(SHOWN, ())
    if given and (height, width) == (tall, wide) and not set(given) & set(reference.shown):
        raise IGRError(
            "The latent comes from a Flatten Garment for other photos than the model's reference: connect the same "
            "GarmNet Encode to Flatten Garment and IGR Apply."
        )


def _widgets(preset: str) -> dict[str, Any]:
    """A preset's value for each widget that it replaces."""
    return {**asdict(PRESETS[preset]), "schedule": sampling.PAPER_SCHEDULE}


def draw_batch_noise(latent: dict[str, Any], seed: int) -> Tensor:
    """Noise (B, C, h, w) in float32 for a LATENT; an image taken from a batch keeps the noise it had in the batch."""
    shape = latent["samples"].shape
    numbers = latent.get("batch_index") or range(shape[0])
    if len(numbers) != shape[0]:
        raise IGRError(
            f"The latent has {counted(shape[0], 'image')}, but its batch_index has "
            f"{counted(len(numbers), 'entry', 'entries')}: connect IGR Apply's latent, or one made from it by Repeat "
            "Latent Batch or Latent From Batch."
        )
    return torch.cat([draw_noise((1, *shape[1:]), seed + number) for number in numbers])
