"""Entry point of `python -m igr_core`."""

from .cli.app import app

app(prog_name="python -m igr_core")
