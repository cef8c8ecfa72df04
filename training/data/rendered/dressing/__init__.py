"""Painting cloth, skin and walls onto stored geometry, and simulating a camera."""
