"""Put what was measured into the pages that tell of it: `python -m training.results`.

`training/results/` keeps the JSON of the experiments that this repository reports, so that no number in its tables is
typed by hand, and a test can write the tables again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from igr_core.errors import IGRError
from igr_core.files import make_folder

from .command import one_sentence
from .evaluation.running import PLACES, experiment_table, read_description, result_files
from .report import fill_markers
from .scoring import read_rows
from .seeds import seeds_table

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("README.md")
"""The page with the markers."""
ROWS = {"hqft": "full", "no_garmnet": "without GarmNet", "coarse": "without HQFT", "random": "without curation"}
"""Rows of Table 2 at the demo's scale: the run's name (configs/evidence/fine_NAME.yaml) to the table's."""

app = typer.Typer(no_args_is_help=False, add_completion=False, help=__doc__)


def reported(results: Path = RESULTS) -> dict[str, str]:
    """Every table by the name of its markers; IGRError where a result is missing or damaged."""
    seeds = sorted(path for path in (results / "table2").glob("seed-*") if path.is_dir())
    if not seeds:
        raise IGRError(f"{results / 'table2'} holds no seed-N folders: keep those of training/configs/evidence/run.sh.")
    rows = read_rows([seed / f"{name}.json" for name in ROWS for seed in seeds])
    return {"table2": seeds_table(rows, ROWS["hqft"]), "eval": experiment_table(results / "eval")}


def keep_experiment(experiment: Path, kept: Path) -> None:
    """Copy an experiment's numbers, its pictures left out, in place of an earlier one's."""
    read_description(experiment)
    files = [experiment / "experiment.json", experiment / PLACES, *result_files(experiment)]
    shutil.rmtree(kept, ignore_errors=True)
    for file in files:
        copy = kept / file.relative_to(experiment)
        make_folder(copy.parent)
        shutil.copyfile(file, copy)


@app.callback(invoke_without_command=True)
def main(
    keep: Annotated[
        Path | None, typer.Option(help="Folder of `make eval` whose numbers are to be reported from now on.")
    ] = None,
) -> None:
    """Write every reported table into training/README.md again."""
    with one_sentence():
        if keep is not None:
            keep_experiment(keep, RESULTS / "eval")
        for name, text in reported().items():
            fill_markers(PAGE, name, text)
    typer.echo(str(PAGE))


if __name__ == "__main__":
    app()
