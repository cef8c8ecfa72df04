"""`python -m training`."""

from igr_core.text import show_what_cannot_be_encoded

from .cli.app import app

if __name__ == "__main__":  # worker processes import this module too
    show_what_cannot_be_encoded()
    app(prog_name="python -m training")
