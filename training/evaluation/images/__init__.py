"""Folders of images to score: restorations, controls, other methods."""
