"""The command `python -m igr_core catalogue`: restore every garment of a table, and report on them."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..errors import IGRError, UsageError
from ..included import INCLUDED_BUNDLE, INCLUDED_PARSER
from ..sampling.presets import chosen
from ..text import counted
from .restoring_options import (
    BundlePath,
    Detail,
    Guidance,
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
from .shared import (
    DeviceOption,
    PrecisionOption,
    echo_line,
    note_ignored,
    note_included_model,
    one_sentence,
    stopped_by_signal,
)

if TYPE_CHECKING:
    from ..catalogue.report.outcome import Outcome
    from ..catalogue.report.report import Report
    from ..catalogue.run import Engine, Plan
    from ..catalogue.settings import CatalogueSettings, Output
    from ..catalogue.table.items import Items

_NEEDED = ("jinja2", "pyarrow")
_SHOWN = 20
"""Maximum number of failed garments whose errors are printed; the report lists all."""

Source = Annotated[
    str,
    typer.Argument(
        help="Table (.csv or .parquet) with a photo column and optional mask, box, category, name and garment "
        "columns, or a folder of photos; a path or a URL such as s3://bucket/table.csv."
    ),
]
Out = Annotated[str, typer.Option(help="Folder to write garments and the report to; a path or a URL.")]
Masks = Annotated[str | None, typer.Option(help="For a folder of photos, the folder of masks with the same names.")]
Category = Annotated[
    Literal["auto", "upper", "lower", "full"],
    typer.Option(help="Category for rows without one; auto finds the largest garment in the photo."),
]
Parser = Annotated[
    Path,
    typer.Option(
        help="Human parser (a folder in transformers' layout), which finds the garment in photos without a mask.",
        show_default="the included one",
    ),
]
SegmenterPath = Annotated[
    Path | None,
    typer.Option(
        help="SAM 2 (a folder or a file), which finds garments in boxes and refines the parser's masks.",
        show_default="off",
    ),
]
ImageType = Annotated[Literal["png", "webp"], typer.Option("--format", help="Image format for the garments.")]
WithEvidence = Annotated[
    bool, typer.Option("--evidence/--no-evidence", help="Measure how much of each garment was visible in its photos.")
]
BatchSize = Annotated[int, typer.Option(min=1, max=64, help="Number of garments to restore together.")]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Run on a Ray cluster: auto for this machine's cluster, or HOST:PORT.",
        show_default="run in this process",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=10_000, help="Number of copies of the model, with --ray.", show_default="one per GPU or two CPUs"
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Also restore garments that earlier runs have already restored.")
]
RetryCrashed = Annotated[
    bool, typer.Option("--retry-crashed", help="Also retry garments that crashed two workers in earlier runs.")
]


def catalogue(
    source: Source,
    out: Out,
    masks: Masks = None,
    category: Category = "auto",
    parser: Parser = INCLUDED_PARSER,
    segmenter: SegmenterPath = None,
    bundle: BundlePath = INCLUDED_BUNDLE,
    preset: PresetName = "standard",
    steps: Steps = None,
    guidance: Guidance = None,
    sampler: SamplerName = None,
    seed: Seed = 0,
    size: Size = None,
    view: ViewMode = None,
    keep_reference: KeepReference = "near",
    start: StartFrom = None,
    detail: Detail = None,
    transparent: Transparent = False,
    image_type: ImageType = "png",
    evidence: WithEvidence = True,
    min_evidence: MinEvidence = 0.0,
    batch: BatchSize = 8,
    ray: RayAddress = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
    retry_crashed: RetryCrashed = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Restore every garment of a catalogue, and report on them.

    Writes garments, evidence maps, and a report as CSV, Parquet and a web page. A run can be stopped and continued with
    the same command. Garments that fail are listed, and do not stop the others.
    """
    with one_sentence():
        _check_packages()
        _check_options(evidence, detail, min_evidence, workers, ray)
        from ..catalogue.run import check_inputs
        from ..catalogue.settings import CatalogueSettings, Output, model_hash
        from ..model.bundle import Bundle
        from ..storage import absolute

        info = Bundle.open(bundle).info
        sampling = chosen(preset, steps, guidance, None, None, sampler)
        own = settings_of(info, size, view, sampling, seed, transparent, min_evidence, keep_reference, start, bundle)
        own = dataclasses.replace(own, detailing=detailing_of(own, detail))
        if evidence and own.start == "noise":
            check_readable(info, own)
        items = _items(source, masks, category)
        models = absolute(str(parser)), None if segmenter is None else absolute(str(segmenter))
        file = absolute(str(bundle))
        how = *_check_models(items, parser, segmenter), image_type, evidence, batch, precision
        settings = CatalogueSettings(own, file, model_hash(file), *models, *how)
        output = Output(absolute(out))
        check_inputs(items, absolute(source), None if masks is None else absolute(masks), output)
        engine = _engine(settings, output, device, ray, workers)
        complete = _run_all(items, settings, output, engine, source, overwrite, retry_crashed)
    if not complete:
        raise typer.Exit(1)


def _check_packages() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise IGRError(f"A catalogue needs {' and '.join(missing)}: run `pip install '.[catalogue]'`.")


def _check_options(
    evidence: bool, detail: str | None, min_evidence: float, workers: int | None, ray: str | None
) -> None:
    if not evidence and (detail is not None or min_evidence > 0):
        raise UsageError("--detail and --min-evidence require --evidence: remove --no-evidence.")
    if workers is not None and ray is None:
        raise UsageError(
            "--workers only works with --ray: without --ray, use --batch to restore more garments at once."
        )


def _items(source: str, masks: str | None, category: str) -> Items:
    """Read the garments of the table, with absolute paths for use in every process; prints a note on unused columns."""
    from ..catalogue.table.items import items_of
    from ..catalogue.table.rows import read_table
    from ..storage import absolute

    table = read_table(absolute(source), None if masks is None else absolute(masks))
    if table.unused:
        echo_line(f"Note: these columns are not used: {', '.join(table.unused)}.", err=True)
    note_ignored(table.ignored)
    return items_of(table.rows, category, in_folder=table.in_folder, folder=table.folder)


def _check_models(items: Items, parser: Path, segmenter: Path | None) -> tuple[bool, bool]:
    """Return whether any mask must be found, and whether this needs the parser.

    Raises UsageError if a required model is missing, and IGRError if its files are invalid.
    """
    from ..files import check_model_folder
    from ..segmentation.human_parser import check_parser
    from ..segmentation.segmenter import check_segmenter

    photos = (photo for item in items.items for photo in item.photos)
    boxed = [photo.box is not None for photo in photos if not (photo.mask or photo.error)]
    if any(boxed) and segmenter is None:
        raise UsageError("The table has boxes, which need SAM 2: use --segmenter with a folder or a file.")
    if segmenter is not None and not os.path.exists(segmenter):
        raise UsageError(f"--segmenter {segmenter} does not exist: check the path.")
    if segmenter is not None and boxed:
        check_segmenter(segmenter)
    parses = not all(boxed)
    if parses:
        try:
            check_model_folder(parser, "a human parser", "--parser ")
        except IGRError as error:
            raise UsageError(str(error)) from error
        check_parser(parser)
        if parser == INCLUDED_PARSER:
            note_included_model("parser", "--parser")
    return bool(boxed), parses


def _show_plan(todo: Plan) -> None:
    for again, reason in ((todo.changed, "rows have changed"), (todo.missing, "files are missing")):
        if again:
            names = ", ".join(again[:_SHOWN]) + (", …" if len(again) > _SHOWN else "")
            echo_line(f"Note: these garments will be restored again because their {reason}: {names}.", err=True)
    if todo.crashed:
        what, were = counted(todo.crashed, "garment"), "was" if todo.crashed == 1 else "were"
        echo_line(
            f"Note: {what} {were} left out after crashing two workers: use --retry-crashed to try again.", err=True
        )


def _engine(settings: CatalogueSettings, output: Output, device: str, ray: str | None, workers: int | None) -> Engine:
    from ..catalogue.run import here, on_ray
    from ..device import choose_device, dtype_for

    if ray is not None:
        return on_ray(settings, output, ray, workers, device)
    place = choose_device(device)
    dtype_for(settings.precision, place)  # before anything is written
    return here(settings, output, str(place))


def _run_all(
    items: Items,
    settings: CatalogueSettings,
    output: Output,
    engine: Engine,
    source: str,
    overwrite: bool,
    retry_crashed: bool,
) -> bool:
    """Restore the garments that are left; returns whether all garments of the table are now restored."""
    from ..catalogue.report.report import Report
    from ..catalogue.run import check_output, in_use, plan

    check_output(output)
    with in_use(output):
        report = Report(output)
        todo = plan(items, report, settings, overwrite=overwrite, retry_crashed=retry_crashed)
        _show_plan(todo)
        return not _run(todo, report, output, engine, source) and not todo.crashed


def _run(todo: Plan, report: Report, output: Output, engine: Engine, source: str) -> bool:
    """Run with a progress bar on stderr; exit with 130 when interrupted. Returns whether a garment failed."""
    from ..catalogue.report.contact_sheet import SHEET
    from ..catalogue.report.outcome import DONE
    from ..catalogue.run import run

    counts, failed, start = Counter[str](), dict[str, str](), time.monotonic()
    earlier, photos, partial = dict(report.outcomes), {item.name: len(item.photos) for item in todo.left}, 0
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with stopped_by_signal(), Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("garments", total=len(todo.left) + len(todo.invalid))

        def on_outcome(outcome: Outcome) -> None:
            nonlocal partial
            counts[outcome.status] += 1
            partial += outcome.status in DONE and outcome.photos < photos[outcome.name]
            if outcome.error:
                failed[outcome.name] = outcome.error
            progress.advance(bar)

        try:
            run(todo, report, output, engine, f"Catalogue {source.rstrip('/').rpartition('/')[2]}", on_outcome)
        except KeyboardInterrupt:
            progress.stop()
            done = sum(report.outcomes.get(name) not in (None, earlier.get(name)) for name in photos)
            echo_line(
                f"Stopped after {counted(done, 'garment')}: run the same command without --overwrite to continue.",
                err=True,
            )
            raise typer.Exit(130) from None
    _show(counts, failed, todo, time.monotonic() - start, output.root.at(SHEET))
    if partial:
        what, were = counted(partial, "garment"), "was" if partial == 1 else "were"
        echo_line(f"Note: {what} {were} restored without some of the photos; the report says why.", err=True)
    return bool(failed)


def _show(counts: Counter[str], failed: dict[str, str], todo: Plan, seconds: float, sheet: str) -> None:
    for name, sentence in list(failed.items())[:_SHOWN]:
        echo_line(f"Failed: {name}: {sentence}", err=True)
    if len(failed) > _SHOWN:
        echo_line(f"Failed: {len(failed) - _SHOWN:,} more, listed in the report.", err=True)
    restored = counts["restored"] + counts["set aside"]
    aside = f", {counts['set aside']:,} of them set aside" if counts["set aside"] else ""
    before = f", {todo.done:,} already done" if todo.done else ""
    echo_line(f"{restored:,} restored{aside}{before}, {len(failed):,} failed, in {seconds:.1f} s. Report: {sheet}")
