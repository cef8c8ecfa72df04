"""Painting cloth, skin and walls onto stored geometry, and what a camera does to a photo."""
