"""From a view to the garment: noise schedule, sampling, whole runs, and what is done to the result."""
