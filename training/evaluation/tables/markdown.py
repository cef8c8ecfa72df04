"""Markdown tables, and the markers in a page between which they belong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.text import one_line

from ...base.files import write_text


def marker(name: str, slash: str = "") -> str:
    """The comment that marks the start of a table in a page or, with `slash` = "/", the end."""
    return f"<!-- {slash}evidence:{name} -->"


def fill_markers(path: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- evidence:NAME -->` and `<!-- /evidence:NAME -->` in a Markdown file.

    Raises IGRError, without changing the file, unless both markers occur exactly once and in order.
    """
    start, end = marker(name), marker(name, "/")
    try:
        page = path.read_text(encoding="utf-8")
    except OSError as error:
        raise IGRError(f"Could not read {path} ({error.strerror}): create the page with its markers first.") from error
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise IGRError(f"{path} must contain {start} and then {end}, each once: put them where the table belongs.")
    before, rest = page.split(start)
    _, after = rest.split(end)
    write_text(path, f"{before}{start}\n{text.strip()}\n{end}{after}")


def markdown(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table with the first column aligned left and the others aligned right; names in it are escaped."""
    rule = ["---", *["---:"] * (len(titles) - 1)]
    rows = ([_escaped(cell) for cell in cells] for cells in (titles, rule, *lines))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _escaped(cell: str) -> str:
    """A cell's text on one line, with column separators and tags escaped."""
    return one_line(cell).replace("|", r"\|").replace("<", "&lt;")
