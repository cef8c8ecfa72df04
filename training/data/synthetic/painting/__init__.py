"""Painting parts along the bones of a pose, and tracking which point of the cloth each pixel shows."""
