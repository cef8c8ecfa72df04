"""Put what was measured into the pages that tell of it: `python -m training results`.

`training/results/` keeps the JSON of Table 2 over training seeds, of experiments (`make eval`) and of spoiled masks, so
that no number of their tables is typed by hand, and a test can write those tables again.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder

from ..evaluation.evidence.rows import read_rows
from ..evaluation.evidence.seeds import seeds_table
from ..evaluation.experiments.running import PLACES, experiment_table, read_description, result_files
from ..robustness.results import RESULT, read_robustness, robustness_table

RESULTS = Path(__file__).parent
PAGE = Path(__file__).parents[1] / "README.md"
"""The page with the markers."""
ROWS = {"hqft": "full", "no_garmnet": "without GarmNet", "coarse": "without HQFT", "random": "without curation"}
"""Rows of Table 2 at the demo's scale: the run's name (configs/evidence/fine_NAME.yaml) to the table's."""


def reported(results: Path = RESULTS) -> dict[str, str]:
    """Tables whose results are kept, by the name of their markers; IGRError where one is damaged or there is none."""
    found = {}
    seeds = sorted(path for path in (results / "table2").glob("seed-*") if path.is_dir())
    if seeds:
        rows = read_rows([seed / f"{name}.json" for name in ROWS for seed in seeds])
        found["table2"] = seeds_table(rows, ROWS["hqft"])
    found |= {path.parent.name: experiment_table(path.parent) for path in sorted(results.glob("*/experiment.json"))}
    if (robustness := results / "robustness" / RESULT).is_file():
        found["robustness"] = robustness_table(read_robustness(robustness))
    if not found:
        raise IGRError(f"{results} holds no results: training/configs/evidence/run.sh table and --keep put them there.")
    return found


def keep_experiment(experiment: Path, kept: Path) -> None:
    """Copy an experiment's numbers, its pictures left out, in place of an earlier one's; IGRError where it has none."""
    read_description(experiment)
    files = [experiment / "experiment.json", experiment / PLACES, *result_files(experiment)]
    fresh = kept.with_name(f".{kept.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    for file in files:  # beside the earlier ones, which go when all are there
        copy = fresh / file.relative_to(experiment)
        make_folder(copy.parent)
        with atomic_file(copy) as temporary:
            shutil.copyfile(file, temporary)
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
