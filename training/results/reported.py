"""Write measured results into the docs: `python -m training evaluate results`.

`training/results/` stores the JSON behind every table of measured quality: experiments (`evaluate run`), robustness to
inaccurate masks (`evaluate robustness run`), rankings by the texture metric (`evaluate validate`) and detection of
defects by curation (`curate measure`). No number in these tables is typed by hand, and a test regenerates them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.files import make_folder

from ..base.files import check_regular, write_text
from ..curation.measure import read_measurement
from ..curation.measure import table as curation_table
from ..detail.cost import Cost
from ..detail.kept import read_kept, table_of
from ..detail.lettering import LetteringScores
from ..detail.measuring import DetailScores
from ..evaluation.experiments.folder import DESCRIPTION, SETS, experiment_table, keep_experiment
from ..evaluation.reports.validity import read_validity, validity_table
from ..evaluation.tables.markdown import fill_markers, marker
from ..robustness.plan import RESULT
from ..robustness.results import read_robustness, robustness_table

RESULTS = Path(__file__).parent
ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "training" / "README.md", *sorted((ROOT / "docs").glob("*.md")))
"""Pages that may contain markers."""
FILES: dict[str, Callable[[Path], str]] = {
    RESULT: lambda path: robustness_table(read_robustness(path)),
    "validity.json": lambda path: validity_table(read_validity(path)),
    "curation.json": lambda path: curation_table(read_measurement(path)),
    "correspondence.json": lambda path: table_of(read_kept(path, DetailScores)),
    "lettering.json": lambda path: table_of(read_kept(path, LetteringScores)),
    "detail_cost.json": lambda path: table_of(read_kept(path, Cost)),
}
"""Functions that make the tables of files other than experiments; folders and markers have the files' stems."""


def reported(results: Path = RESULTS) -> dict[str, str]:
    """Tables of the stored results, keyed by the name of their markers. Raises IGRError if a stored result is damaged,
    or if there are none."""
    found = {}
    for place in sorted(path for path in results.glob("*") if path.is_dir()):
        if (place / DESCRIPTION).is_file() or (place / SETS).is_file():
            found[place.name] = experiment_table(place)
        for name, table in FILES.items():
            if (place / name).is_file():
                found[place.name] = table(place / name)
    if not found:
        raise IGRError(f"{results} contains no results: store some with `python -m training evaluate results --keep`.")
    return found


def write_tables(tables: Mapping[str, str], pages: Sequence[Path] = PAGES) -> list[Path]:
    """Write each table between its markers; returns the pages that were written.

    Raises IGRError, before any page is written, for a table whose markers are missing from all pages.
    """
    found = {name: [page for page in pages if marker(name) in page.read_text(encoding="utf-8")] for name in tables}
    lost = [name for name, places in found.items() if not places]
    if lost:
        raise IGRError(f"No page contains {marker(lost[0])}: add the markers of the table to its page.")
    for name, places in found.items():
        for page in places:
            fill_markers(page, name, tables[name])
    return list(dict.fromkeys(page for places in found.values() for page in places))


def keep(place: Path, results: Path = RESULTS) -> Path:
    """Store the results in `place` for the tables; `place` is an experiment's folder, or a file in FILES or its folder.

    Returns their new location; raises IGRError for anything else, and then keeps the results that were stored earlier.
    """
    file = place / RESULT if (place / RESULT).is_file() else place
    if file.name not in FILES:
        if not place.is_dir():
            raise IGRError(
                f"{place} is not a measurement: use the folder of an experiment, or a file named {', '.join(FILES)}."
            )
        kept = results / place.resolve().name
        keep_experiment(place, kept)
        return kept
    check_regular(file, "use the file of a measurement")
    FILES[file.name](file)  # raises if the result is damaged
    kept = results / file.stem / file.name
    make_folder(kept.parent)
    write_text(kept, file.read_text(encoding="utf-8"))
    return kept
