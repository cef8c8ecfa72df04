"""The command `python -m igr_core restore`: restore the garment in one photo, or in every photo in a folder."""

from __future__ import annotations

import dataclasses
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..errors import IGRError, UsageError
from ..included import INCLUDED_BUNDLE
from ..sampling.presets import Preset, Sampler, chosen
from ..text import one_line
from .shared import DeviceOption, echo_line, one_sentence

if TYPE_CHECKING:
    import torch

    from ..model.bundle import BundleInfo
    from ..restore.detailed import Detailing
    from ..restore.jobs import Report, Restorer, Settings
    from ..restore.planning import Job, Plan
    from ..sampling.presets import Sampling

# torch and diffusers are imported inside the functions so that --help is fast.


View = Literal["whole", "focused"]
"""Views of the photo, as in ViewConfig."""


Person = Annotated[Path, typer.Argument(help="Photo of the dressed person, or a folder of photos.")]
MaskPath = Annotated[
    Path,
    typer.Option(help="Mask of the garment, white on black, the same size as the photo, or a folder of masks."),
]
Category = Annotated[
    str,
    typer.Option(help="upper, lower or full (dress, jumpsuit), or a CSV file with the columns name,category."),
]
Out = Annotated[Path, typer.Option(help="Image to write (.png), or the folder to write NAME.png to.")]
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
Also = Annotated[
    list[Path] | None,
    typer.Option(help="Another photo of the same garment, with an --also-mask; may be repeated."),
]
AlsoMask = Annotated[list[Path] | None, typer.Option(help="Mask of the garment in the --also photo.")]
EvidencePath = Annotated[
    Path | None,
    typer.Option(help="Evidence map to write (.png), white where a photo showed the garment, or a folder for maps."),
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
Candidates = Annotated[
    int, typer.Option(min=1, max=64, help="Number of seeds to try; the best match with the photo is kept.")
]
ReportPath = Annotated[
    Path | None,
    typer.Option(
        "--report", help="CSV file with a line for each photo: result, visible fraction, notes. A later run updates it."
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="For folders: also restore garments whose images already exist.")
]


def restore(
    person: Person,
    mask: MaskPath,
    category: Category,
    out: Out,
    bundle: BundlePath = INCLUDED_BUNDLE,
    preset: PresetName = "standard",
    steps: Steps = None,
    guidance: Guidance = None,
    guidance_start: GuidanceStart = None,
    guidance_end: GuidanceEnd = None,
    sampler: SamplerName = None,
    seed: Seed = 0,
    size: Size = None,
    transparent: Transparent = False,
    view: ViewMode = None,
    also: Also = None,
    also_mask: AlsoMask = None,
    evidence: EvidencePath = None,
    min_evidence: MinEvidence = 0.0,
    detail: Detail = None,
    candidates: Candidates = 1,
    report_file: ReportPath = None,
    overwrite: Overwrite = False,
    device: DeviceOption = "auto",
) -> None:
    """Restore the garment in a photo, or in every photo in a folder.

    Masks in a folder are matched by name: masks/anna.png belongs to photos/anna.jpg. anna__2.jpg is another photo of
    the garment in anna.jpg. A folder run can be stopped and resumed; photos that fail are listed at the end and do not
    stop the others.
    """
    from ..device import choose_device
    from ..files import make_folder
    from ..model.bundle import Bundle
    from ..restore.planning import plan_jobs
    from ..restore.report_file import read_report, write_report

    with one_sentence():
        info = Bundle.open(bundle).info
        sampling = chosen(preset, steps, guidance, guidance_start, guidance_end, sampler)
        settings = _settings(info, size, view, sampling, seed, transparent, min_evidence)
        settings = dataclasses.replace(settings, detailing=_detailing(settings, detail, candidates))
        if settings.detailing or evidence is not None or also or min_evidence > 0:
            _check_readable(info, settings)
        place, in_folder = choose_device(device), person.is_dir()
        plan = plan_jobs(person, mask, category, out, settings.mode, _more(also, also_mask), evidence)
        plan = _writable(plan, settings, in_folder, out, evidence, report_file)
        before = read_report(report_file) if report_file is not None else {}
        jobs, report = _left(plan, settings, in_folder and not overwrite)
        make_folder(out if in_folder else out.parent)
        start = time.monotonic()
        try:
            _run(jobs, report, settings, functools.cache(lambda: _load(bundle, place)))
        finally:
            if report_file is not None:
                write_report(report_file, report, {job.person.name: job for job in jobs}, before)
        _show_report(report, time.monotonic() - start, in_folder)
    if report.failed:
        raise typer.Exit(1)


def _settings(
    info: BundleInfo,
    size: str | None,
    view: View | None,
    sampling: Sampling,
    seed: int,
    transparent: bool,
    min_evidence: float,
) -> Settings:
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
    return Settings(canvas, layout, crop, sampling, seed, transparent, min_evidence=min_evidence)


def _detailing(settings: Settings, detail: str | None, candidates: int) -> Detailing | None:
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


def _check_readable(info: BundleInfo, settings: Settings) -> None:
    """Raise UsageError if the model has no attention to read, or if the attention maps are too large."""
    from ..detail.heads import MOST_CELLS, coarsest_cells

    if info.model.garmnet is None:
        raise UsageError(f"{info.name} has no GarmNet, so there is no evidence to read: use another --bundle.")
    f = info.model.vae.downscale
    if coarsest_cells(info.model.denoiser, (settings.size[1] // f, settings.size[0] // f)) > MOST_CELLS:
        raise UsageError("At this size, the attention maps are too large to read: choose a smaller --size.")


def _more(also: list[Path] | None, masks: list[Path] | None) -> list[tuple[Path, Path]]:
    photos, masks = also or [], masks or []
    if len(photos) != len(masks):
        raise UsageError(
            f"--also is used {len(photos)} times, but --also-mask {len(masks)} times: pass one "
            "--also-mask for each --also."
        )
    return list(zip(photos, masks, strict=True))


def _writable(
    plan: Plan, settings: Settings, in_folder: bool, out: Path, evidence: Path | None, report_file: Path | None
) -> Plan:
    """Check that every output can be written, as planning.check_writable does, but with the options in errors."""
    from ..outputs import check_file, check_folder
    from ..restore.planning import check_writable

    for path, option in ((out, "--out"), (evidence, "--evidence")):
        if path is not None:
            (check_folder if in_folder else check_file)(path, option)
    if report_file is not None:
        check_file(report_file, "--report")
        if report_file in (out, evidence):
            raise UsageError(f"{report_file} would be written twice: choose another --report file.")
    several = settings.detailing is not None and settings.detailing.candidates > 1
    return check_writable(plan, candidates=several, set_aside=settings.min_evidence > 0)


def _left(plan: Plan, settings: Settings, resume: bool) -> tuple[list[Job], Report]:
    """The jobs to run, and a report on the photos that failed or, with `resume`, are already done; prints notes."""
    from ..restore.jobs import Report, without_existing

    if plan.ignored:
        echo_line(f"Note: these files were skipped because they are not images: {', '.join(plan.ignored)}.", err=True)
    report = Report(failed=dict(plan.failed))
    jobs = without_existing(plan.jobs, report) if resume else list(plan.jobs)
    if report.skipped and settings.min_evidence > 0:
        echo_line(
            "Note: existing images are not checked against --min-evidence; use --overwrite to restore and check them.",
            err=True,
        )
    return jobs, report


def _load(bundle: Path, device: torch.device) -> Restorer:
    import torch

    from ..restore.jobs import BundleProblem
    from ..restore.restorer import GarmentRestorer

    try:  # half precision halves time and memory on a GPU; CPUs have no fast half-precision convolutions
        return GarmentRestorer.from_bundle(bundle, device, torch.float16 if device.type == "cuda" else torch.float32)
    except IGRError as error:
        raise BundleProblem(str(error)) from error


def _run(jobs: list[Job], report: Report, settings: Settings, restorer: Any) -> None:
    """Run the jobs with progress bars for photos and steps on stderr; exit with 130 when interrupted."""
    from ..restore.jobs import run_jobs

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        photos = progress.add_task("photos", total=len(jobs), visible=len(jobs) > 1)
        steps = progress.add_task("steps", total=settings.sampling.steps)
        started = 0

        def on_photo(job: Job) -> None:
            nonlocal started
            progress.update(photos, completed=started)
            progress.reset(steps, description=one_line(job.person.name), total=settings.sampling.steps)
            started += 1

        def on_step(done: int, total: int) -> None:
            progress.update(steps, completed=done, total=total)

        try:
            run_jobs(jobs, report, settings, restorer, on_step, on_photo)
        except KeyboardInterrupt:
            progress.stop()
            echo_line(f"Stopped after {len(report.done)} of {len(jobs)}: run the same command to continue.", err=True)
            raise typer.Exit(130) from None


def _show_report(report: Report, seconds: float, in_folder: bool) -> None:
    for name, notes in report.notes.items():
        for note in notes:
            echo_line(f"Note on {name}: {note}", err=True)
    for name in sorted(report.set_aside):
        echo_line(f"Set aside: {name}: only {report.visible[name]:.0%} of the garment was visible.", err=True)
    if not in_folder:
        for path in report.done:
            echo_line(f"Wrote {path} in {seconds:.1f} s.")
        for sentence in report.failed.values():
            echo_line(f"Error: {sentence}", err=True)
        return
    skipped = f", {len(report.skipped)} already done" if report.skipped else ""
    aside = f", {len(report.set_aside)} of them set aside" if report.set_aside else ""
    echo_line(f"{len(report.done)} restored{aside}{skipped}, {len(report.failed)} failed, in {seconds:.1f} s.")
    for name, sentence in report.failed.items():
        echo_line(f"Failed: {name}: {sentence}", err=True)
