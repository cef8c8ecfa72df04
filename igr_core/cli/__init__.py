"""The command line, `python -m igr_core`."""
