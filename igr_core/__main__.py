"""Entry point of `python -m igr_core`."""

from .cli.app import app
from .text import show_what_cannot_be_encoded

show_what_cannot_be_encoded()
app(prog_name="python -m igr_core")
