"""What patterns and cloth share: cuts, meshes, the figure a garment is cut for, and the garment itself."""
