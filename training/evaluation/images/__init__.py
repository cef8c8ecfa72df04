"""Folders of images to score: restored garments, controls, and other methods' images."""
