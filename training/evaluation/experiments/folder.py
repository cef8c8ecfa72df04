"""The folder of an experiment: its description, a result for each row, and the tables made from them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.json_text import parse_json

from ..result import Result, read_results
from ..tables.paper import PAPER, paper_table
from ..tables.table import COMPARED, results_table

DESCRIPTION, PLACES, SETS = "experiment.json", "rows.json", "sets.json"
"""Description of the experiment; scored rows in the order of the table; names of its held-out sets, if several.
Anything else in rows/ belongs to an earlier configuration."""


def sets_of(folder: Path) -> dict[str, Path]:
    """Folders of an experiment's held-out sets by name; the folder itself, named `""`, for a single set."""
    try:
        names = parse_json((folder / SETS).read_bytes(), "the file", "create it again")
    except FileNotFoundError:
        return {"": folder}
    except (OSError, ValueError) as error:
        raise IGRError(
            f"{folder / SETS} is damaged: run `python -m training evaluate run` to write it again."
        ) from error
    return {str(name): folder / str(name) for name in names}


def result_files(folder: Path) -> list[Path]:
    """Files of the results on one held-out set, in the order of its table; raises IGRError if there are none."""
    try:
        places = parse_json((folder / PLACES).read_bytes(), "the file", "create it again")
    except (OSError, ValueError):
        places = []
    if not isinstance(places, list) or not places:
        raise IGRError(f"{folder} contains no results: run `python -m training evaluate run` to create them.")
    return [folder / "rows" / str(place) / "result.json" for place in places]


def experiment_results(folder: Path) -> list[Result]:
    """Results on one held-out set, in the order of its table; raises IGRError if there are none."""
    return read_results(result_files(folder))


def read_description(folder: Path) -> dict[str, Any]:
    """An experiment's description; raises IGRError if it is missing or damaged."""
    try:
        described = parse_json((folder / DESCRIPTION).read_bytes(), "the file", "create it again")
        whole = {"title", "data", "table", "unpaired"} <= set(described) and described["table"] in ("", *PAPER)
    except (OSError, ValueError, TypeError):
        whole = False
    if not whole:
        raise IGRError(
            f"{folder} is not an experiment, because experiment.json is missing or damaged: create one with "
            "`python -m training evaluate run`."
        )
    return described


def experiment_table(folder: Path) -> str:
    """An experiment's tables in Markdown, one for each held-out set: next to the paper's, or plain."""
    found = sets_of(folder)
    texts = [(f"On {name}:\n\n" if name else "") + _table(place) for name, place in found.items()]
    return "\n".join(texts)


def _table(folder: Path) -> str:
    results = experiment_results(folder)
    described = read_description(folder)
    if described["table"]:
        return paper_table(described["table"], described["unpaired"], results, described["data"])
    table = results_table(results, described.get("baseline", ""), described.get("compared", COMPARED))
    return f"{table.rstrip()} Pairs: {described['data']}.\n"


def keep_experiment(experiment: Path, kept: Path) -> None:
    """Replace the stored numbers of an earlier experiment with a new one's, without images; raises IGRError if none."""
    files = [experiment / SETS] if (experiment / SETS).is_file() else []
    for folder in sets_of(experiment).values():
        read_description(folder)
        files += [folder / DESCRIPTION, folder / PLACES, *result_files(folder)]
    fresh = kept.with_name(f".{kept.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    for file in files:  # next to the earlier ones, which are removed when all are complete
        copy = fresh / file.relative_to(experiment)
        make_folder(copy.parent)
        with atomic_file(copy) as temporary:
            shutil.copyfile(file, temporary)
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
