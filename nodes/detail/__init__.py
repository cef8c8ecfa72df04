"""Nodes for evidence, the photo's own details, several photos of one garment, and several candidates."""
