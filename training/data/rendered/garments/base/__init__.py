"""Definitions shared by patterns and cloth: cuts, meshes, the figure a garment is cut for, and the garment itself."""
