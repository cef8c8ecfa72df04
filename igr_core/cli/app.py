"""The commands `python -m igr_core restore`, `catalogue`, `mask` and `inspect`."""

from __future__ import annotations

import typer

from .catalogue import catalogue
from .inspect import inspect
from .mask import find_mask
from .restore import restore

app = typer.Typer(
    help="Restore the flat image of a garment from a photo of a dressed person and a mask.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("restore")(restore)
app.command("catalogue")(catalogue)
app.command("mask")(find_mask)
app.command("inspect")(inspect)
