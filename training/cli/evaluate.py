"""Score folders of garments, run experiments, and write tables and reports."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igr_core.cli.shared import echo
from igr_core.errors import IGRError
from igr_core.included import INCLUDED_BUNDLE, INCLUDED_FLATTENER
from igr_core.outputs import same_place
from igr_core.sampling.presets import Preset, chosen
from igr_core.text import counted

from ..base.config_files import load_config
from ..base.outputs import check_kept
from ..data.contract.seeds import HELD_OUT_START
from ..evaluation.metrics.protocols import PROTOCOLS, protocol_named
from ..evaluation.metrics.registry import METRICS, SCORED
from .commands import JPEG, PNG, Changes, DeviceOption, out_file, out_folder, subfolders

if TYPE_CHECKING:
    from ..evaluation.result import Result

Weights = Annotated[
    Path | None,
    typer.Option(
        help="Folder whose checkpoints/ subfolder contains the metrics' weights; torch's hub folder by default."
    ),
]


def score(
    generated: Annotated[Path, typer.Option(help="Folder of restored garments, NAME.png.")],
    reference: Annotated[
        Path, typer.Option(help="Folder of the ground-truth garments, matched by name regardless of extension.")
    ],
    protocol: Annotated[str, typer.Option(help=f"{', '.join(PROTOCOLS)}.")] = "igr",
    metrics: Annotated[str, typer.Option(help="Comma-separated metrics; all by default.")] = ",".join(SCORED),
    weights: Weights = None,
    encoder: Annotated[Path | None, typer.Option(help="Bundle with the image encoder that encoder_fd uses.")] = None,
    silhouettes: Annotated[Path | None, typer.Option(help="Folder of masks for the flat garments, NAME.png.")] = None,
    unpaired: Annotated[
        bool, typer.Option(help="Only compare the two distributions (the paper's StreetTryOn columns).")
    ] = False,
    skip_bad: Annotated[bool, typer.Option(help="Score the matching files even if others do not match.")] = False,
    device: Annotated[
        str, typer.Option(help="Device for the metrics' networks: cpu, auto (CUDA if available), cuda:1 ...")
    ] = "cpu",
    cache: Annotated[Path | None, typer.Option(help="Folder to cache features in.", callback=out_folder)] = None,
    name: Annotated[str | None, typer.Option(help="Name of the row in tables; the folder's name by default.")] = None,
    json: Annotated[
        Path | None, typer.Option(help="JSON file for the result and everything it depends on.", callback=out_file)
    ] = None,
) -> None:
    """Score a folder of garments against the ground truth; files that do not match are listed."""
    from igr_core.device import choose_device

    from ..evaluation.experiments.scoring import Scoring, score_folders
    from ..evaluation.images.folders import folder_name
    from ..evaluation.metrics.weights import WeightsFolder
    from ..evaluation.result import write_results

    scoring = Scoring(
        protocol_named(protocol),
        tuple(metric.strip() for metric in metrics.split(",")),
        WeightsFolder(weights),
        encoder,
        cache,
        silhouettes,
        skip_bad,
        choose_device(device),
        echo,
    )
    if same_place(generated, reference):
        raise IGRError(
            f"--generated and --reference are both {reference}: use the folder of the ground truth as --reference."
        )
    if json is not None and json.suffix != ".json":
        raise IGRError(f"{json} is not a JSON file name: use the extension .json.")
    if json is not None:
        check_kept(json, "--json", [encoder], [weights])
    result = score_folders(scoring, generated, reference, name=name or folder_name(generated), unpaired=unpaired)
    if json is not None:
        write_results(json, [result])
    _echo(result)


def run(
    config: Annotated[
        Path, typer.Argument(help="YAML file with the fields of ExperimentConfig (training/configs/evaluation).")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the experiment; resumes an interrupted one.", callback=out_folder)
    ],
    weights: Weights = None,
    device: DeviceOption = "auto",
    changes: Changes = None,
) -> None:
    """Restore with every bundle and guidance of an experiment, score the results with controls, and write the report.

    To use several processes: torchrun --nproc-per-node 4 -m -- training evaluate run ...
    """
    from igr_core.device import choose_device

    from ..evaluation.experiments.experiment import ExperimentConfig
    from ..evaluation.experiments.folder import DESCRIPTION, PLACES, SETS, experiment_table
    from ..evaluation.experiments.running import open_runs, restore_all
    from ..evaluation.metrics.weights import WeightsFolder
    from ..evaluation.reports.report import write_report

    for name in (DESCRIPTION, PLACES, SETS):
        check_kept(out / name, "--out", [config])
    settings = load_config(ExperimentConfig, config, changes or ())
    runs = open_runs(settings, out, choose_device(device), echo)
    folder = WeightsFolder(weights)
    restore_all(runs)
    if runs[0].rank:
        return
    results = [one for experiment in runs for one in experiment.score(folder, echo)]
    for sentence in dict.fromkeys(line for one in results for line in (*one.skipped.values(), *one.warnings)):
        echo(sentence)
    echo(f"\n{experiment_table(out)}")
    for experiment in runs:
        echo(str(write_report(experiment.out)))


def report(experiment: Annotated[Path, typer.Argument(help="Folder of an experiment.")]) -> None:
    """Rewrite an experiment's report from its files: images, tables, curves and CSV files."""
    from ..evaluation.reports.report import write_report

    page = write_report(experiment)
    echo(str(page))


def tables(
    experiments: Annotated[
        list[Path], typer.Argument(help="Experiment folders, as written by `python -m training evaluate run`.")
    ],
    out: Annotated[Path | None, typer.Option(help="Markdown file for the tables.", callback=out_file)] = None,
    into: Annotated[
        list[Path] | None, typer.Option(help="Markdown page whose markers are filled in; may be repeated.")
    ] = None,
) -> None:
    """Print Tables 1 to 3 of the paper, with each row marked as published, measured here, or a control."""
    from igr_core.files import make_folder

    from ..base.files import write_text
    from ..evaluation.experiments.folder import DESCRIPTION, PLACES, SETS, experiment_table
    from ..evaluation.tables.markdown import fill_markers

    if out is not None:
        read = [folder / name for folder in experiments for name in (DESCRIPTION, PLACES, SETS)]
        check_kept(out, "--out", [*(into or ()), *read], [folder / "rows" for folder in experiments])
    texts = [(folder.name, experiment_table(folder)) for folder in experiments]
    if out is not None:
        make_folder(out.parent)
        write_text(out, "\n".join(text for _, text in texts))
    for page in into or ():
        for name, text in texts:
            fill_markers(page, name, text)
    echo("\n".join(text for _, text in texts))


def validate(
    count: Annotated[int, typer.Option(min=2, max=10_000_000, help="Number of drawn garments with a texture.")] = 100,
    start: Annotated[int, typer.Option(min=0, max=10**9, help="First seed.")] = HELD_OUT_START,
    json: Annotated[Path | None, typer.Option(help="JSON file for the rankings.", callback=out_file)] = None,
) -> None:
    """Check that the texture metric prefers a blurred but correct garment to a sharp but wrong one, unlike SSIM."""
    from ..evaluation.reports.validity import rankings, validity_table, write_validity

    found = rankings(start, count)
    if json is not None:
        write_validity(json, found)
    echo(validity_table(found))


def curves(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, as written by `python -m training train`.")],
    out: Annotated[Path, typer.Option(help="PNG file.", callback=PNG)],
) -> None:
    """Plot the training and held-out losses of training runs, including the losses with substituted conditions."""
    from ..evaluation.reports.curves import loss_curves

    loss_curves(runs, out)
    echo(str(out))


def list_weights(weights: Weights = None) -> None:
    """List the weight files of the metrics' networks, where to put them, and whether they exist."""
    from ..evaluation.metrics.weights import WeightsFolder

    folder = WeightsFolder(weights)
    echo("\n".join(folder.listing()))
    echo(str(folder.folder / "checkpoints"))


def _echo(result: Result) -> None:
    echo(f"{result.name}: {counted(result.generated.count, 'image')}, protocol {result.protocol['name']}")
    for metric, kind in METRICS.items():
        if cell := result.cell(metric):
            echo(f"  {kind.title:28} {cell}")
        elif metric in result.skipped:
            echo(f"  {kind.title:28} not computed: {result.skipped[metric]}")
    for warning in result.warnings:
        echo(f"  {warning}")


def results(
    keep_from: Annotated[
        Path | None,
        typer.Option(
            "--keep", help="Experiment folder, or file of another measurement, to store first under its name."
        ),
    ] = None,
) -> None:
    """Rewrite the tables of all stored results (training/results) in the docs."""
    from ..results.reported import keep, reported, write_tables

    if keep_from is not None:
        echo(str(keep(keep_from)))
    for page in write_tables(reported()):
        echo(str(page))


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the images.", callback=out_folder)] = Path("out/demo"),
    count_per_category: Annotated[int, typer.Option(min=1, max=100, help="Number of pairs per category.")] = 2,
    data: Annotated[
        str | None, typer.Option(help="Data set to take the pairs from.", show_default="the included rendered pairs")
    ] = None,
    bundle: Annotated[Path, typer.Option(help="The model.", show_default="igr-small")] = INCLUDED_BUNDLE,
    preset: Annotated[Preset, typer.Option(help="Steps and guidance.")] = "standard",
    steps: Annotated[
        int | None, typer.Option(min=1, max=500, help="Denoising steps.", show_default="from the preset")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(min=1.0, max=20.0, help="How closely to follow the photo.", show_default="from the preset"),
    ] = None,
    page_image: Annotated[
        Path | None,
        typer.Option(help="Also write the contact sheet as a small JPEG, as in the README.", callback=JPEG),
    ] = None,
) -> None:
    """Restore held-out pairs and a photo, and show the results next to the ground truth."""
    from igr_core.cli.restoring_options import start_of
    from igr_core.device import choose_device, dtype_for
    from igr_core.files import make_folder
    from igr_core.flatten.model_file import load_flattener
    from igr_core.restore.restorer import GarmentRestorer

    from ..data.opening import DataSetConfig, open_data_set
    from ..evaluation.images.demo import PAIRS, astronaut, first_pairs, run_demo, subject_of, write_page_image

    start = time.monotonic()
    if page_image is not None and data is not None:
        check_kept(page_image, "--page-image", folders=subfolders(data))
    source = open_data_set(DataSetConfig(str(PAIRS if data is None else data), split="test"))
    subjects = [subject_of(source, index) for index in first_pairs(source, count_per_category)]
    if data is None:
        subjects.append(astronaut())
    restorer = GarmentRestorer.from_bundle(bundle, dtype=dtype_for("auto", choose_device("cpu")))
    if start_of(None, bundle) == "flat":
        restorer.flattener = load_flattener(INCLUDED_FLATTENER)
    make_folder(out)
    shown = run_demo(restorer, subjects, out, chosen(preset, steps, guidance))
    if page_image is not None:
        write_page_image(shown.examples, page_image)
    for example in shown.examples:
        echo(str(out / f"{example.subject.name}-restored.png"))
    echo(f"The same folder contains the person, the mask and, if known, the true garment. Contact sheet: {shown.sheet}")
    total = time.monotonic() - start
    echo(
        f"{counted(len(shown.examples), 'garment')} restored in {shown.seconds:.1f} s, or in {total:.1f} s with "
        "loading, adding the photos' details and writing the files."
    )
