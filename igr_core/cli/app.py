"""The command line: `python -m igr_core restore`, `python -m igr_core mask` and `python -m igr_core inspect`."""

from __future__ import annotations

import typer

from .inspect import inspect
from .mask import find_mask
from .restore import restore

app = typer.Typer(
    help="Restore the garment of a dressed person: photo and mask in, flat garment out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("restore")(restore)
app.command("mask")(find_mask)
app.command("inspect")(inspect)
