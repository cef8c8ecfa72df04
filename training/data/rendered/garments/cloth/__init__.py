"""Cloth: meshes, rest shape, draping and contacts."""
