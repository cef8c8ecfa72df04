"""`python -m igr_core`."""

from .cli import app

app(prog_name="python -m igr_core")
