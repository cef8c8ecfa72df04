"""Options that restore and catalogue share: the model, sampling, sizes and details."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import IGRError, UsageError
from ..model.pruning_config import KEEP, Keep
from ..sampling.presets import Preset, Sampler

if TYPE_CHECKING:
    from ..model.bundle import BundleInfo
    from ..restore.detailed import Detailing
    from ..restore.jobs import Settings
    from ..sampling.presets import Sampling

View = Literal["whole", "focused"]
"""Views of the photo, as in ViewConfig."""

BundlePath = Annotated[Path, typer.Option(help="The model to use.", show_default="igr-small (included)")]
PresetName = Annotated[
    Preset, typer.Option(help="Steps and guidance: the fastest, the recommended, or the paper's settings.")
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, max=500, help="Denoising steps; more steps take longer.", show_default="from the preset"),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        min=1.0, max=20.0, help="How closely to follow the photo; 1 is fastest.", show_default="from the preset"
    ),
]
GuidanceStart = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=1.0, help="Fraction of the process before which guidance is off.", show_default="from the preset"
    ),
]
GuidanceEnd = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=1.0, help="Fraction of the process after which guidance is off.", show_default="from the preset"
    ),
]
SamplerName = Annotated[
    Sampler | None, typer.Option(help="Sampler, named as in ComfyUI.", show_default="from the preset")
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Random seed; the same seed gives the same image.")]
Size = Annotated[str | None, typer.Option(help="Width x height to work at.", show_default="from the bundle")]
Transparent = Annotated[bool, typer.Option("--transparent", help="Make the white background transparent.")]
ViewMode = Annotated[
    View | None,
    typer.Option(
        help="Show the model the whole photo, or only the garment and its surroundings.",
        show_default="from the bundle",
    ),
]
KeepReference = Annotated[
    Keep,
    typer.Option(help="Reference features to keep: near (those in and around the mask, which is faster) or all."),
]
MinEvidence = Annotated[
    float,
    typer.Option(
        min=0.0, max=1.0, help="Fraction of the garment that must be visible; other images go to the folder set-aside."
    ),
]
Detail = Annotated[
    str | None,
    typer.Option(
        help="Width x height to which the garment is enlarged with the photo's own details.", show_default="off"
    ),
]


def restore_settings(
    info: BundleInfo,
    size: str | None,
    view: View | None,
    sampling: Sampling,
    seed: int,
    transparent: bool,
    min_evidence: float,
    keep: Keep = "near",
) -> Settings:
    """The settings of a run; raises UsageError for a size or a number of steps that the model does not support."""
    from ..photo.inputs import parse_size
    from ..restore.jobs import Settings
    from ..sampling.schedule import ddim_timesteps

    model = info.model
    try:
        ddim_timesteps(model.noise, sampling.steps)
    except IGRError as error:
        raise UsageError(f"--steps: {error}") from error
    try:
        canvas = parse_size(size, model.size_step) if size is not None else model.native_size
    except IGRError as error:
        raise UsageError(f"--size: {error}") from error
    layout = dataclasses.replace(model.view, mode=view) if view is not None else model.view
    crop = model.image_encoder.image_size
    return Settings(canvas, layout, crop, sampling, seed, transparent, min_evidence=min_evidence, pruning=KEEP[keep])


def detailing_of(settings: Settings, detail: str | None, candidates: int = 1) -> Detailing | None:
    """What to do beyond a plain restoration; raises UsageError for a size that does not fit the working size."""
    from ..detail.transfer import check_aspect
    from ..photo.inputs import parse_size
    from ..restore.detailed import Detailing

    if detail is None:
        return Detailing(candidates=candidates) if candidates > 1 else None
    try:
        size = parse_size(detail, 1)
        check_aspect(size, settings.size)
    except IGRError as error:
        raise UsageError(f"--detail: {error}") from error
    return Detailing(size, candidates=candidates)


def check_readable(info: BundleInfo, settings: Settings) -> None:
    """Raise UsageError if the model has no attention to read, or if the attention maps are too large."""
    from ..detail.heads import MOST_CELLS, coarsest_cells

    if info.model.garmnet is None:
        raise UsageError(f"{info.name} has no GarmNet, so there is no evidence to read: use another --bundle.")
    f = info.model.vae.downscale
    if coarsest_cells(info.model.denoiser, (settings.size[1] // f, settings.size[0] // f)) > MOST_CELLS:
        raise UsageError("At this size, the attention maps are too large to read: choose a smaller --size.")
