"""Restore garments: the pipeline, runs over folders, and the layout of the result."""
