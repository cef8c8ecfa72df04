"""Score folders of garments, run experiments, and write tables and reports."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from igr_core.demo import DEMO_BUNDLE
from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.restore.restorer import GarmentRestorer

from ..base.config_files import load_config
from ..base.device import choose_device
from ..base.files import write_text
from ..data.contract.pairs import HELD_OUT_START
from ..evaluation.experiments.experiment import ExperimentConfig
from ..evaluation.experiments.folder import experiment_table
from ..evaluation.experiments.running import open_runs, restore_all
from ..evaluation.experiments.scoring import Scoring, score_folders
from ..evaluation.metrics.protocols import PROTOCOLS, protocol_named
from ..evaluation.metrics.registry import METRICS, SCORED
from ..evaluation.metrics.weights import WeightsFolder
from ..evaluation.pictures.demo import run_demo
from ..evaluation.pictures.folders import folder_name
from ..evaluation.reports.curves import loss_curves
from ..evaluation.reports.report import write_report
from ..evaluation.reports.validity import rankings, validity_table, write_validity
from ..evaluation.result import Result, write_results
from ..evaluation.tables.markdown import fill_markers
from ..results.reported import keep, reported, write_tables
from .commands import Changes, DeviceOption

Weights = Annotated[
    Path | None,
    typer.Option(help="Folder whose checkpoints/ holds the metrics' networks; torch's hub folder by default."),
]


def score(
    generated: Annotated[Path, typer.Option(help="Folder of restored garments, NAME.png.")],
    reference: Annotated[Path, typer.Option(help="Folder of the true garments, NAME with any suffix.")],
    protocol: Annotated[str, typer.Option(help=f"{', '.join(PROTOCOLS)}.")] = "igr",
    metrics: Annotated[str, typer.Option(help="Metrics with commas between; all by default.")] = ",".join(SCORED),
    weights: Weights = None,
    encoder: Annotated[Path | None, typer.Option(help="Bundle whose image encoder encoder_fd looks through.")] = None,
    silhouettes: Annotated[Path | None, typer.Option(help="Folder of masks of the flat garments, NAME.png.")] = None,
    unpaired: Annotated[
        bool, typer.Option(help="Compare the two sets alone (the paper's StreetTryOn columns).")
    ] = False,
    skip_bad: Annotated[bool, typer.Option(help="Score what fits, although some files do not.")] = False,
    device: Annotated[
        str, typer.Option(help="Where the metrics' networks run: cpu, auto (CUDA where there is one), cuda:1 ...")
    ] = "cpu",
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps features between calls.")] = None,
    name: Annotated[str | None, typer.Option(help="What tables call the row; the folder's name by default.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the result, with everything that it depends on.")] = None,
) -> None:
    """Score a folder of garments against the true ones; files that do not fit are listed by name."""
    scoring = Scoring(
        protocol_named(protocol),
        tuple(metric.strip() for metric in metrics.split(",")),
        WeightsFolder(weights),
        encoder,
        cache,
        silhouettes,
        skip_bad,
        choose_device(device),
        typer.echo,
    )
    if json is not None and json.suffix != ".json":
        raise IGRError(f"{json} is to hold JSON: end its name in .json.")
    result = score_folders(scoring, generated, reference, name=name or folder_name(generated), unpaired=unpaired)
    if json is not None:
        write_results(json, [result])
    _echo(result)


def run(
    config: Annotated[Path, typer.Argument(help="YAML file of an ExperimentConfig (training/configs/evaluation).")],
    out: Annotated[Path, typer.Option(help="Folder of the experiment; a stopped one goes on where it was.")],
    weights: Weights = None,
    device: DeviceOption = "auto",
    changes: Changes = None,
) -> None:
    """Restore with every bundle and guidance of an experiment, score them beside controls, and write the report.

    Several processes share the restoring: torchrun --nproc-per-node 4 -m -- training evaluate run ...
    """
    settings = load_config(ExperimentConfig, config, changes or ())
    runs = open_runs(settings, out, choose_device(device), typer.echo)
    folder = WeightsFolder(weights)
    restore_all(runs)
    if runs[0].rank:
        return
    results = [one for experiment in runs for one in experiment.score(folder, typer.echo)]
    for sentence in dict.fromkeys(line for one in results for line in (*one.skipped.values(), *one.warnings)):
        typer.echo(sentence)
    typer.echo(f"\n{experiment_table(out)}")
    for experiment in runs:
        typer.echo(str(write_report(experiment.out)))


def report(experiment: Annotated[Path, typer.Argument(help="Folder of an experiment.")]) -> None:
    """Write an experiment's report again: pictures, tables, curves and CSVs from what is there."""
    page = write_report(experiment)
    typer.echo(str(page))


def tables(
    experiments: Annotated[
        list[Path], typer.Argument(help="Folders of experiments (python -m training evaluate run).")
    ],
    out: Annotated[Path | None, typer.Option(help="Markdown file for them.")] = None,
    into: Annotated[list[Path] | None, typer.Option(help="Page whose markers get them; may be repeated.")] = None,
) -> None:
    """Print Tables 1 to 3 with the paper's numbers beside what was measured, each marked as what it is."""
    texts = [(folder.name, experiment_table(folder)) for folder in experiments]
    if out is not None:
        make_folder(out.parent)
        write_text(out, "\n".join(text for _, text in texts))
    for page in into or ():
        for name, text in texts:
            fill_markers(page, name, text)
    typer.echo("\n".join(text for _, text in texts))


def validate(
    count: Annotated[int, typer.Option(min=2, help="How many drawn garments with a texture.")] = 100,
    start: Annotated[int, typer.Option(min=0, help="First seed.")] = HELD_OUT_START,
    json: Annotated[Path | None, typer.Option(help="File for the rankings.")] = None,
) -> None:
    """Check the texture metric: right but blurred has to beat sharp but wrong, whatever SSIM says."""
    found = rankings(start, count)
    if json is not None:
        write_validity(json, found)
    typer.echo(validity_table(found))


def curves(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of python -m training train.")],
    out: Annotated[Path, typer.Option(help="PNG file.")],
) -> None:
    """Draw loss and held-out losses, conditions substituted, of training runs."""
    loss_curves(runs, out)
    typer.echo(str(out))


def list_weights(weights: Weights = None) -> None:
    """List the files that the metrics' networks are read from: where they belong and whether they are there."""
    folder = WeightsFolder(weights)
    typer.echo("\n".join(folder.listing()))
    typer.echo(str(folder.folder / "checkpoints"))


def _echo(result: Result) -> None:
    typer.echo(f"{result.name}: {result.generated.count} pictures, protocol {result.protocol['name']}")
    for metric, kind in METRICS.items():
        if cell := result.cell(metric):
            typer.echo(f"  {kind.title:28} {cell}")
        elif metric in result.skipped:
            typer.echo(f"  {kind.title:28} not computed: {result.skipped[metric]}")
    for warning in result.warnings:
        typer.echo(f"  {warning}")


def results(
    keep_from: Annotated[
        Path | None,
        typer.Option(
            "--keep", help="Folder of an experiment, or file of another measurement, to be reported under its name."
        ),
    ] = None,
) -> None:
    """Write the tables of all kept results (training/results) into docs/evaluation.md again."""
    if keep_from is not None:
        typer.echo(str(keep(keep_from)))
    for page in write_tables(reported()):
        typer.echo(str(page))


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("out/demo"),
    count_per_category: Annotated[int, typer.Option(min=1, max=100, help="Persons of each category.")] = 2,
    bundle: Annotated[Path, typer.Option(help="The model.", show_default="the demo")] = DEMO_BUNDLE,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Denoising steps.")] = 25,
    guidance: Annotated[float, typer.Option(min=1.0, max=20.0, help="How firmly the photo is followed.")] = 1.5,
) -> None:
    """Restore synthetic persons that no model was trained on, and show them beside the true garments."""
    start = time.monotonic()
    restorer = GarmentRestorer.from_bundle(bundle)
    make_folder(out)
    sheet, examples = run_demo(restorer, out, count_per_category, steps, guidance)
    for example in examples:
        typer.echo(str(out / f"{example.pair.category}-{example.seed}-restored.png"))
    typer.echo(f"The person, mask and truth of each lie beside it. All on one sheet: {sheet}")
    typer.echo(f"{len(examples)} garments restored in {time.monotonic() - start:.1f} s.")
