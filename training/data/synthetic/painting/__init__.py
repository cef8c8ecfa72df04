"""Painting parts along the bones of a pose, and following which place of the cloth a pixel shows."""
