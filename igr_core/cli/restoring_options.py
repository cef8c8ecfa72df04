"""Options that restore and catalogue share: the model, sampling, sizes and details."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import IGRError, UsageError
from ..included import INCLUDED_BUNDLE, INCLUDED_FLATTENER
from ..model.pruning_config import KEEP, Keep
from ..sampling.presets import Preset, Sampler
from .shared import echo_line

if TYPE_CHECKING:
    from ..model.bundle import BundleInfo
    from ..restore.detailed import Detailing
    from ..restore.jobs import Settings
    from ..sampling.presets import Sampling

Start = Literal["noise", "flat"]
"""What the model starts from, as in restore.jobs."""
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
        min=0.0,
        max=1.0,
        help="Point in the process, as a fraction, at which guidance starts.",
        show_default="from the preset",
    ),
]
GuidanceEnd = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Point in the process, as a fraction, at which guidance ends.",
        show_default="from the preset",
    ),
]
SamplerName = Annotated[
    Sampler | None, typer.Option(help="Sampler, named as in ComfyUI.", show_default="from the preset")
]
MAX_SEED = 2**63 - 1
"""Largest random seed."""
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Random seed; the same seed gives the same image.")]
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
    typer.Option(help="Reference features to keep: near (only those in and around the mask; faster) or all."),
]
MinEvidence = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Fraction of the garment that must be visible; images below this go to the `set-aside` folder.",
    ),
]
Detail = Annotated[
    str | None,
    typer.Option(
        help="Width x height to which the garment is enlarged with the photo's own details.", show_default="off"
    ),
]


StartFrom = Annotated[
    Start | None,
    typer.Option(
        help="What to start from: flat (the photo's own pixels, laid out flat, so that the model invents only what is "
        "hidden) or noise (as in the paper).",
        show_default="flat for igr-small, noise for other models",
    ),
]


def settings_of(
    info: BundleInfo,
    size: str | None,
    view: View | None,
    sampling: Sampling,
    seed: int,
    transparent: bool,
    min_evidence: float,
    keep: Keep = "near",
    start: Start | None = "noise",
    bundle: Path = INCLUDED_BUNDLE,
) -> Settings:
    """The settings of a run; without a `start`, the default for the model in `bundle` is used.

    Raises UsageError for a size, a number of steps or a start that the model does not support.
    """
    from ..photo.inputs import parse_size
    from ..restore.flattened import most_steps
    from ..restore.jobs import Settings
    from ..sampling.schedule import ddim_timesteps

    model = info.model
    try:
        canvas = parse_size(size, model.size_step) if size is not None else model.native_size
    except IGRError as error:
        raise UsageError(f"--size: {error}") from error
    layout = dataclasses.replace(model.view, mode=view) if view is not None else model.view
    begin = _start_of(start, bundle, canvas)
    try:
        ddim_timesteps(model.noise, sampling.steps)
    except IGRError as error:
        raise UsageError(f"--steps: {error}") from error
    if begin == "flat" and sampling.steps > (most := most_steps(model.noise)):
        raise UsageError(
            f"--steps {sampling.steps} is too many with --start flat: choose 1 to {most}, or --start noise."
        )
    crop = model.image_encoder.image_size
    return Settings(
        canvas, layout, crop, sampling, seed, transparent, min_evidence=min_evidence, start=begin, pruning=KEEP[keep]
    )


def start_of(start: Start | None, bundle: Path) -> Start:
    """The chosen start or, if none was chosen, the default for the model in `bundle`."""
    if start is not None:
        return start
    return "flat" if _is_included(bundle) else "noise"


def _is_included(path: Path) -> bool:
    """Whether a bundle is igr-small, under whatever name."""
    from ..model.bundle import Bundle

    if path.resolve() == INCLUDED_BUNDLE.resolve():
        return True
    same_size = path.is_file() and path.stat().st_size == INCLUDED_BUNDLE.stat().st_size
    return same_size and Bundle.open(path).key() == Bundle.open(INCLUDED_BUNDLE).key()


def _start_of(start: Start | None, bundle: Path, size: tuple[int, int]) -> Start:
    """Like start_of, but `noise` at a working size (width, height) at which garments cannot be laid out flat.

    In that case, prints a note or, if `start` was given, raises UsageError.
    """
    from ..flatten.flat import check_flattens
    from ..flatten.model_file import load_flattener

    wanted = start_of(start, bundle)
    if wanted == "noise":
        return wanted
    flattener = load_flattener(INCLUDED_FLATTENER)
    try:
        check_flattens(flattener, size)
    except IGRError as error:
        if start is not None:
            raise UsageError(f"--start flat: {error}") from error
        echo_line(f"Note: starting from noise. {error}", err=True)
        return "noise"
    return wanted


def detailing_of(settings: Settings, detail: str | None, candidates: int = 1) -> Detailing | None:
    """The candidates and transferred details that were requested; None for a plain restoration.

    Raises UsageError for a size with another aspect ratio than the working size, for candidates that start from flat,
    and for candidates whose seeds would be too large.
    """
    from ..detail.transfer import check_aspect
    from ..photo.inputs import parse_size
    from ..restore.detailed import Detailing

    if settings.seed + candidates - 1 > MAX_SEED:
        raise UsageError(
            f"--seed {settings.seed} is too large for {candidates} candidates, which use the seeds after it: use at "
            f"most {MAX_SEED - candidates + 1}."
        )
    if candidates > 1 and settings.start == "flat":
        raise UsageError(
            "--candidates needs --start noise: from flat, candidates differ only where the photo shows nothing."
        )
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
