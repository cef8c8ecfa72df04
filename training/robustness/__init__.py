"""Measure robustness to inaccurate masks, by restoring from masks corrupted to known degrees."""
