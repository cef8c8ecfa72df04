"""Restoring: noise schedule, sampling, whole runs, and the layout of the restored garment."""
