"""Settings for sampling (steps, guidance and sampler), and presets for them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from ..errors import IGRError
from ..ranges import Guidance, Ranged, Share, Steps

Sampler = Literal["ddim", "dpmpp_2m", "uni_pc", "lcm"]
"""Samplers, named as in ComfyUI: the paper's DDIM, DPM-Solver++ (2M), UniPC, and the sampler for consistency models."""


@dataclass(frozen=True)
class Sampling(Ranged):
    """Settings of a sampling run; the defaults are the paper's (section 4.1)."""

    steps: Steps = 25
    """Denoising steps."""
    guidance: Guidance = 1.5
    """Classifier-free guidance scale (Eq. 2); 1 disables it, which halves the cost of a step."""
    guidance_start: Share = 0.0
    """Point in the denoising process, as a fraction, at which guidance starts (Kynkäänniemi et al. 2024)."""
    guidance_end: Share = 1.0
    """Point in the denoising process, as a fraction, at which guidance ends."""
    sampler: Sampler = "ddim"
    """Sampler that takes the steps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.guidance_start > self.guidance_end:
            raise IGRError(
                f"guidance_start is {self.guidance_start:g} and guidance_end is {self.guidance_end:g}: the start must "
                "not be after the end."
            )


PAPER = Sampling()
"""The settings of the paper (section 4.1)."""
Preset = Literal["draft", "standard", "paper"]
PRESETS: dict[Preset, Sampling] = {
    "draft": Sampling(steps=2),
    "standard": Sampling(steps=4),
    "paper": PAPER,
}
"""Presets by name, from the fastest; docs/performance.md compares them on igr-small."""


def chosen(preset: Preset, *changes: Any) -> Sampling:
    """A preset's settings, with `changes` in the order of Sampling's fields; None keeps the preset's value.

    Raises IGRError for a value out of its range.
    """
    named = zip(fields(Sampling), changes, strict=False)
    return replace(PRESETS[preset], **{field.name: value for field, value in named if value is not None})
