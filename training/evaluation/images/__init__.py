"""Folders of pictures to score: restored, controls, other methods."""
