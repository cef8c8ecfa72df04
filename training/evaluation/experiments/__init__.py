"""Experiments: which bundles and folders are compared, run, and scored."""
