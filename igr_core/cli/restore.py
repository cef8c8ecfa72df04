"""The command `python -m igr_core restore`: restore the garment in one photo, or in every photo in a folder."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..errors import IGRError, UsageError
from ..included import INCLUDED_BUNDLE, INCLUDED_FLATTENER
from ..sampling.presets import chosen
from ..text import counted, one_line
from .restoring_options import (
    BundlePath,
    Detail,
    Guidance,
    GuidanceEnd,
    GuidanceStart,
    KeepReference,
    MinEvidence,
    PresetName,
    SamplerName,
    Seed,
    Size,
    StartFrom,
    Steps,
    Transparent,
    ViewMode,
    check_readable,
    detailing_of,
    settings_of,
)
from .shared import DeviceOption, PrecisionOption, echo_line, note_ignored, one_sentence, stopped_by_signal

if TYPE_CHECKING:
    import torch

    from ..model.bundle import BundleInfo
    from ..restore.jobs import Report, Restorer, Settings
    from ..restore.planning import Job, Plan
    from ..sampling.presets import Preset, Sampler, Sampling

# torch and diffusers are imported inside the functions so that --help is fast.


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
Also = Annotated[
    list[Path] | None,
    typer.Option(help="Another photo of the same garment, with an --also-mask; may be repeated."),
]
AlsoMask = Annotated[list[Path] | None, typer.Option(help="Mask of the garment in the --also photo.")]
EvidencePath = Annotated[
    Path | None,
    typer.Option(help="Evidence map to write (.png), white where a photo showed the garment, or a folder for maps."),
]
Candidates = Annotated[
    int, typer.Option(min=1, max=64, help="Number of seeds to try; the best match with the photo is kept.")
]
ReportPath = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="CSV file with one line per photo: result, visible fraction and notes. It is updated after each photo and "
        "by later runs, which also add missing lines for photos that are already done.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="For folders, also restore garments whose images already exist.")
]

Compile = Annotated[
    bool,
    typer.Option(
        "--compile", help="Compile parts of the model: the first photo takes longer, and the others are faster."
    ),
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
    keep_reference: KeepReference = "near",
    also: Also = None,
    also_mask: AlsoMask = None,
    evidence: EvidencePath = None,
    min_evidence: MinEvidence = 0.0,
    detail: Detail = None,
    candidates: Candidates = 1,
    report_file: ReportPath = None,
    start: StartFrom = None,
    overwrite: Overwrite = False,
    compile_layers: Compile = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Restore the garment in a photo, or in every photo in a folder.

    Masks in a folder are matched by name: masks/anna.png belongs to photos/anna.jpg. anna__2.jpg is another photo of
    the garment in anna.jpg. A folder run can be stopped and resumed; photos that fail are listed at the end and do not
    stop the others.
    """
    with one_sentence():
        from ..device import choose_device, dtype_for
        from ..files import make_folder
        from ..model.bundle import Bundle
        from ..restore.planning import plan_jobs

        info = Bundle.open(bundle).info
        sampling = _sampling(preset, steps, guidance, guidance_start, guidance_end, sampler)
        own = settings_of(info, size, view, sampling, seed, transparent, min_evidence, keep_reference, start, bundle)
        settings = dataclasses.replace(own, detailing=detailing_of(own, detail, candidates))
        _check_attention(info, settings, evidence is not None or bool(also))
        in_folder, place = person.is_dir(), choose_device(device)
        load = functools.partial(_load, bundle, place, dtype_for(precision, place), settings, compile_layers)
        found = plan_jobs(person, mask, category, out, settings.mode, _more(also, also_mask), evidence, report_file)
        plan = _writable(found, settings, in_folder, out, evidence, report_file)
        jobs, report = _left(plan, settings, in_folder and not overwrite)
        update = _report_updater(report_file, report, plan)
        make_folder(out if in_folder else out.parent)
        with stopped_by_signal():
            seconds = _run(jobs, report, settings, functools.cache(load), update)
        _show_report(report, seconds, in_folder)
    if report.failed:
        raise typer.Exit(1)


def _sampling(
    preset: Preset,
    steps: int | None,
    guidance: float | None,
    start: float | None,
    end: float | None,
    sampler: Sampler | None,
) -> Sampling:
    try:
        return chosen(preset, steps, guidance, start, end, sampler)
    except IGRError as error:  # each option is in its range, so only the interval can be wrong
        raise UsageError(
            f"--guidance-start {start or 0:g} is after --guidance-end {1 if end is None else end:g}: choose an earlier "
            "start or a later end."
        ) from error


def _check_attention(info: BundleInfo, settings: Settings, measured: bool) -> None:
    """Raise UsageError if a run needs the model's attention, but it cannot be read."""
    if settings.start == "noise" and (settings.detailing or measured or settings.min_evidence > 0):
        check_readable(info, settings)


def _report_updater(path: Path | None, report: Report, plan: Plan) -> Callable[[Job | None], None]:
    """Return a function that adds a finished photo to the report file or, when called with None, writes all of it.

    Raises IGRError if an existing file is not a report.
    """
    if path is None:
        return lambda job: None
    from ..restore.report_file import add_to_report, read_report, write_report

    before, jobs = read_report(path), {job.person.name: job for job in plan.jobs}

    def update(job: Job | None) -> None:
        if job is None or not path.exists():
            write_report(path, report, jobs, before)
        else:
            add_to_report(path, report, job)

    return update


def _more(also: list[Path] | None, masks: list[Path] | None) -> list[tuple[Path, Path]]:
    photos, masks = also or [], masks or []
    if len(photos) != len(masks):
        raise UsageError(
            f"--also is used {counted(len(photos), 'time')}, but --also-mask {counted(len(masks), 'time')}: pass one "
            "--also-mask for each --also."
        )
    return list(zip(photos, masks, strict=True))


def _writable(
    plan: Plan, settings: Settings, in_folder: bool, out: Path, evidence: Path | None, report_file: Path | None
) -> Plan:
    """Check that every output can be written, as planning.check_writable does, with the options named in errors."""
    from ..outputs import check_file, check_folder
    from ..restore.planning import check_writable

    for path, option in ((out, "--out"), (evidence, "--evidence")):
        if path is not None:
            (check_folder if in_folder else check_file)(path, option)
    if report_file is not None:
        check_file(report_file, "--report")
    several = settings.detailing is not None and settings.detailing.candidates > 1
    return check_writable(plan, candidates=several, set_aside=settings.min_evidence > 0)


def _left(plan: Plan, settings: Settings, resume: bool) -> tuple[list[Job], Report]:
    """The jobs to run, and a report on the photos that failed or, with `resume`, are already done; prints notes."""
    from ..photo.image_files import has_alpha
    from ..restore.jobs import Report, without_existing

    note_ignored(plan.ignored)
    report = Report(failed=dict(plan.failed))
    jobs = without_existing(plan.jobs, report) if resume else list(plan.jobs)
    notes = []
    if report.skipped and settings.min_evidence > 0:
        notes.append(
            "existing images are not checked against --min-evidence; use --overwrite to restore and check them"
        )
    if settings.transparent and any(not has_alpha(path) for path in report.skipped):
        notes.append("existing images keep their background; use --overwrite to make it transparent")
    if report.skipped and not (jobs or notes or report.failed):
        notes.append("all images exist already; use --overwrite to restore them again with these options")
    for note in notes:
        echo_line(f"Note: {note}.", err=True)
    return jobs, report


def _load(bundle: Path, device: torch.device, dtype: torch.dtype, settings: Settings, compile_layers: bool) -> Restorer:
    from ..flatten.model_file import load_flattener
    from ..restore.jobs import BundleProblem
    from ..restore.restorer import GarmentRestorer

    try:
        restorer = GarmentRestorer.from_bundle(bundle, device, dtype, settings.pruning)
        if compile_layers:
            restorer.compile()
        if settings.start == "flat":
            restorer.flattener = load_flattener(INCLUDED_FLATTENER)  # small enough for the CPU
        return restorer
    except IGRError as error:
        raise BundleProblem(str(error)) from error


def _run(
    jobs: list[Job], report: Report, settings: Settings, restorer: Any, update: Callable[[Job | None], None]
) -> float:
    """Run the jobs with progress bars for photos and steps on stderr, and return the time in seconds; exit with 130
    when interrupted.

    `update` is called with each photo's job when the next photo begins. It is also called with None, before the second
    photo and when the run ends for any reason.
    """
    from ..restore.jobs import run_jobs

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        photos = progress.add_task("photos", total=len(jobs), visible=len(jobs) > 1)
        steps = progress.add_task("steps", total=settings.sampling.steps)
        started, begun = 0, time.monotonic()

        def on_photo(job: Job) -> None:
            nonlocal started
            if started:  # invalid input in the first photo is reported before anything is written
                update(None if started == 1 else jobs[started - 1])
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
        finally:
            update(None)
    return time.monotonic() - begun


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
