"""Cloth: its meshes, its shape at rest, how it falls and what it meets."""
