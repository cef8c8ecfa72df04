"""Sets, lights and cameras."""
