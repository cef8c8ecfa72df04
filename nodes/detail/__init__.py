"""Nodes for evidence, the photo's own details, several photos of a garment, and several candidates."""
