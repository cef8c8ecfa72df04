"""Restore garments: noise schedule, sampling, runs over folders, and the layout of the result."""
