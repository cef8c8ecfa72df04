"""Arithmetic on pixels: colour spaces, noise and strokes."""
