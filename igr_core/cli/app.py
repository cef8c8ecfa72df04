"""The command line: `python -m igr_core restore`, `python -m igr_core mask` and `python -m igr_core inspect`."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..demo import DEMO_BUNDLE
from ..errors import IGRError
from .mask import find_mask
from .shared import Device, choose_device, one_sentence

if TYPE_CHECKING:
    from ..model.bundle import BundleInfo
    from ..restore.jobs import Job, Report, Restorer, Settings

# torch and diffusers are imported inside the commands, so that --help comes at once.

app = typer.Typer(
    help="Restore the garment of a dressed person: photo and mask in, flat garment out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class View(Enum):
    """Layouts of the photo, as in ViewConfig."""

    whole = "whole"
    focused = "focused"


@app.command()
def restore(
    person: Annotated[Path, typer.Argument(help="Photo of the dressed person, or a folder of photos.")],
    mask: Annotated[
        Path, typer.Option(help="Mask of the garment, white on black, as large as the photo; or a folder of masks.")
    ],
    category: Annotated[
        str, typer.Option(help="upper, lower or full (dress, overall); for folders also a CSV file: name,category.")
    ],
    out: Annotated[Path, typer.Option(help="Picture to write (.png), or the folder to write NAME.png into.")],
    bundle: Annotated[Path, typer.Option(help="The model.", show_default="the demo")] = DEMO_BUNDLE,
    steps: Annotated[int, typer.Option(min=1, max=500, help="Denoising steps: more is finer and slower.")] = 25,
    guidance: Annotated[
        float, typer.Option(min=1.0, max=20.0, help="How firmly the photo is followed; 1 is fastest.")
    ] = 1.5,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same picture.")] = 0,
    size: Annotated[str | None, typer.Option(help="Width x height to work at.", show_default="the model's own")] = None,
    transparent: Annotated[bool, typer.Option("--transparent", help="Cut the white background away.")] = False,
    view: Annotated[
        View | None,
        typer.Option(help="Show the model the whole photo, or the garment's surroundings.", show_default="the model's"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Folders: restore again what is already in the output folder.")
    ] = False,
    device: Annotated[Device, typer.Option(help="Where to run; auto takes a GPU if there is one.")] = Device.auto,
) -> None:
    """Restore the garment of a photo, or of every photo in a folder.

    Masks in a folder are found by name: photos/anna.jpg belongs to masks/anna.png. A folder run can be stopped and
    started again; photos that fail are listed at the end and do not stop the rest.
    """
    from ..files import make_folder
    from ..model.bundle import Bundle
    from ..restore.jobs import Report, plan_jobs, without_existing

    with one_sentence():
        info = Bundle.open(bundle).info
        settings = _settings(info, size, view, steps, guidance, seed, transparent)
        place = choose_device(device)
        plan = plan_jobs(person, mask, category, out, settings.mode)
        report = Report(failed=dict(plan.failed))
        in_folder = person.is_dir()
        jobs = list(plan.jobs) if overwrite or not in_folder else without_existing(plan.jobs, report)
        make_folder(out if in_folder else out.parent)
        start = time.monotonic()
        _run(jobs, report, settings, functools.cache(lambda: _load(bundle, place)))
        _show_report(report, time.monotonic() - start, in_folder)
    if report.failed:
        raise typer.Exit(1)


app.command("mask")(find_mask)


@app.command()
def inspect(
    bundle: Annotated[Path, typer.Argument(help="The bundle (.safetensors) to look at.")] = DEMO_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show what is in a bundle: parts, sizes, config, training and scores."""
    from ..model.bundle import Bundle, describe

    with one_sentence():
        facts = describe(Bundle.open(bundle))
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    console = Console()
    for table in _tables(facts):
        console.print(table)


def _settings(
    info: BundleInfo, size: str | None, view: View | None, steps: int, guidance: float, seed: int, transparent: bool
) -> Settings:
    from ..photo.inputs import parse_size
    from ..restore.jobs import Settings, UsageMistake
    from ..restore.schedule import ddim_timesteps

    model = info.model
    try:
        ddim_timesteps(model.noise, steps)
    except IGRError as error:
        raise UsageMistake(f"--steps: {error}") from error
    try:
        canvas = parse_size(size, model.size_step) if size is not None else model.native_size
    except IGRError as error:
        raise UsageMistake(f"--size: {error}") from error
    layout = dataclasses.replace(model.view, mode=view.value) if view is not None else model.view
    return Settings(canvas, layout, model.image_encoder.image_size, steps, guidance, seed, transparent)


def _load(bundle: Path, device: str) -> Restorer:
    import torch

    from ..restore.jobs import BundleProblem
    from ..restore.restorer import GarmentRestorer

    try:  # half precision halves a GPU's time and memory; CPUs have no fast one for convolutions
        return GarmentRestorer.from_bundle(bundle, device, torch.float16 if device == "cuda" else torch.float32)
    except IGRError as error:
        raise BundleProblem(str(error)) from error


def _run(jobs: list[Job], report: Report, settings: Settings, restorer: Any) -> None:
    """Run the jobs under a progress bar on stderr: photos, and the steps of the one at work; exit 130 when stopped."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..restore.jobs import run_jobs

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        photos = progress.add_task("photos", total=len(jobs), visible=len(jobs) > 1)
        steps = progress.add_task("steps", total=settings.steps)
        started = 0

        def on_photo(job: Job) -> None:
            nonlocal started
            progress.update(photos, completed=started)
            progress.reset(steps, description=job.person.name, total=settings.steps)
            started += 1

        def on_step(done: int, total: int) -> None:
            progress.update(steps, completed=done, total=total)

        try:
            run_jobs(jobs, report, settings, restorer, on_step, on_photo)
        except KeyboardInterrupt:
            progress.stop()
            typer.echo(f"Stopped after {len(report.done)} of {len(jobs)}: run the same command to go on.", err=True)
            raise typer.Exit(130) from None


def _show_report(report: Report, seconds: float, in_folder: bool) -> None:
    for name, notes in report.notes.items():
        for note in notes:
            typer.echo(f"Note on {name}: {note}", err=True)
    if not in_folder:
        for path in report.done:
            typer.echo(f"Wrote {path} in {seconds:.1f} s.")
        for sentence in report.failed.values():
            typer.echo(f"Error: {sentence}", err=True)
        return
    skipped = f", {len(report.skipped)} already there" if report.skipped else ""
    typer.echo(f"{len(report.done)} restored{skipped}, {len(report.failed)} failed, in {seconds:.1f} s.")
    for name, sentence in report.failed.items():
        typer.echo(f"Failed: {name}: {sentence}", err=True)


def _tables(facts: dict[str, Any]) -> list[Table]:
    """Tables for people: the file, its parts, then config, training and scores as name and value."""
    parts = Table(title=f"{facts['name']} ({facts['megabytes']} MB)", title_justify="left")
    for heading in ("part", "tensors", "parameters", "MB", "dtype"):
        parts.add_column(heading, justify="left" if heading in ("part", "dtype") else "right")
    for part in facts["parts"]:
        cells = (f"{part['tensors']:,}", f"{part['parameters']:,}", f"{part['megabytes']:.2f}")
        parts.add_row(part["part"], *cells, ", ".join(part["dtypes"]))
    general = {name: facts[name] for name in ("file", "format_version", "licence")}
    for part in ("vae", "image_encoder"):
        inside = any(one["part"] == part for one in facts["parts"])
        general[part] = "inside" if inside else f"beside it: {facts[f'expected_{part}'] or 'not named'}"
    sections = (("bundle", general), *((name, facts[name]) for name in ("model", "training", "scores")))
    return [parts, *(_name_value_table(title, values) for title, values in sections if values)]


def _name_value_table(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("name", no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, value in _flat(values):
        table.add_row(name, value)
    return table


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", "none" if value is None else str(value)
