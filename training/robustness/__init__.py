"""Robustness to careless masks: masks corrupted to known degrees, and what a bundle restores from each."""
