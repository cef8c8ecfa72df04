"""Robustness to inaccurate masks: restoring from masks corrupted to known degrees."""
