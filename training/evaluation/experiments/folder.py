"""Read an experiment's folder, with its description and a result for each row, and make tables from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.json_text import parse_json

from ..result import Result, read_results
from ..tables.paper import PAPER, paper_table
from ..tables.settings_table import SETTINGS, settings_table
from ..tables.table import COMPARED, results_table

DESCRIPTION, PLACES, SETS = "experiment.json", "rows.json", "sets.json"
"""Files with the experiment's description, the scored rows in table order, and the names of its held-out sets if it has
several. Folders in rows/ that rows.json does not list belong to an earlier configuration."""


def sets_of(folder: Path) -> dict[str, Path]:
    """Folders of an experiment's held-out sets by name; for a single set, the folder itself under the name `""`."""
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
    """Result files for one held-out set, in the order of its table; raises IGRError if there are none."""
    try:
        places = parse_json((folder / PLACES).read_bytes(), "the file", "create it again")
    except (OSError, ValueError):
        places = []
    if not isinstance(places, list) or not places:
        raise IGRError(f"{folder} contains no results: run `python -m training evaluate run` to create them.")
    return [folder / "rows" / str(place) / "result.json" for place in places]


def experiment_results(folder: Path) -> list[Result]:
    """Results for one held-out set, in the order of its table; raises IGRError if there are none."""
    return read_results(result_files(folder))


def read_description(folder: Path) -> dict[str, Any]:
    """An experiment's description; raises IGRError if it is missing or damaged."""
    try:
        described = parse_json((folder / DESCRIPTION).read_bytes(), "the file", "create it again")
        whole = {"title", "data", "table", "unpaired"} <= set(described) and described["table"] in (
            "",
            SETTINGS,
            *PAPER,
        )
    except (OSError, ValueError, TypeError):
        whole = False
    if not whole:
        raise IGRError(
            f"{folder} is not an experiment, because experiment.json is missing or damaged: create one with "
            "`python -m training evaluate run`."
        )
    return described


def experiment_table(folder: Path) -> str:
    """An experiment's tables in Markdown, one per held-out set, with the paper's numbers if its config selects them."""
    found = sets_of(folder)
    texts = [(f"Held-out set `{name}`:\n\n" if name else "") + _table(place) for name, place in found.items()]
    return "\n".join(texts)


def _table(folder: Path) -> str:
    results = experiment_results(folder)
    described = read_description(folder)
    if described["table"] == SETTINGS:
        return f"{settings_table(results, described['baseline']).rstrip()} Data: {described['data']}.\n"
    if described["table"]:
        return paper_table(described["table"], described["unpaired"], results, described["data"])
    table = results_table(results, described.get("baseline", ""), described.get("compared", COMPARED))
    return f"{table.rstrip()} Data: {described['data']}.\n"


def keep_experiment(experiment: Path, kept: Path) -> None:
    """Replace the stored numbers of an earlier experiment with those of a new experiment, without images.

    Raises IGRError if the new experiment has none.
    """
    files = [experiment / SETS] if (experiment / SETS).is_file() else []
    for folder in sets_of(experiment).values():
        read_description(folder)
        files += [folder / DESCRIPTION, folder / PLACES, *result_files(folder)]
    fresh = kept.with_name(f".{kept.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    for file in files:  # copy next to the earlier files, and only remove those once all copies are complete
        copy = fresh / file.relative_to(experiment)
        make_folder(copy.parent)
        with atomic_file(copy) as temporary:
            shutil.copyfile(file, temporary)
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
