"""The command `python -m igr_core inspect`: show the contents of a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..included import INCLUDED_BUNDLE
from ..json_text import without_nan
from ..text import one_line
from .shared import one_sentence

LEAST_WIDTH = 30
"""Minimum width of the column of values, in characters."""
LONGEST_VALUE, MOST_ROWS = 2000, 2000
"""Maximum number of characters of a value and of rows of a table that are shown; --json prints everything."""


def inspect(
    bundle: Annotated[Path, typer.Argument(help="Bundle to inspect (.safetensors).")] = INCLUDED_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show the contents of a bundle: parts, sizes, config, training and scores."""
    with one_sentence():
        from ..model.bundle import Bundle, describe

        facts = describe(Bundle.open(bundle))
        if as_json:
            typer.echo(json.dumps(without_nan(facts), indent=2, allow_nan=False))
            return
        console = Console()
        for table in _tables(facts):
            console.print(table)


def _tables(facts: dict[str, Any]) -> list[Table]:
    """A table of the parts, and tables of names and values for the file, config, training and scores."""
    parts = _table(f"{facts['name']} ({facts['megabytes']} MB)")
    for heading in ("part", "tensors", "parameters", "MB", "dtype"):
        parts.add_column(heading, justify="left" if heading in ("part", "dtype") else "right")
    for part in facts["parts"]:
        cells = (f"{part['tensors']:,}", f"{part['parameters']:,}", f"{part['megabytes']:.2f}")
        parts.add_row(*map(_literal, (part["part"], *cells, ", ".join(part["dtypes"]))))
    general = {name: facts[name] for name in ("file", "format_version", "licence")}
    for part in ("vae", "image_encoder"):
        inside = any(one["part"] == part for one in facts["parts"])
        general[part] = "included" if inside else f"not included ({facts[f'expected_{part}'] or 'not named'})"
    sections = (("bundle", general), *((name, facts[name]) for name in ("model", "training", "scores")))
    return [parts, *(_name_value_table(title, values) for title, values in sections if values)]


def _name_value_table(title: str, values: dict[str, Any]) -> Table:
    table = _table(title, show_header=False)
    # the names in a bundle that was trained in several stages can fill a line
    table.add_column("name", overflow="fold")
    table.add_column("value", overflow="fold", min_width=LEAST_WIDTH)
    rows = list(_flat(values))
    for name, value in rows[:MOST_ROWS]:
        table.add_row(_literal(name), _literal(value))
    if len(rows) > MOST_ROWS:
        table.add_row("…", f"{len(rows) - MOST_ROWS:,} more entries; --json prints them")
    return table


def _table(title: str, show_header: bool = True) -> Table:
    return Table(title=Text(_short(title), style="table.title"), title_justify="left", show_header=show_header)


def _literal(text: str) -> Text:
    """Text from a bundle, without rich's markup, escape sequences or line breaks."""
    return Text(_short(text))


def _short(text: str) -> str:
    return one_line(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…")


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", "none" if value is None else str(value)
