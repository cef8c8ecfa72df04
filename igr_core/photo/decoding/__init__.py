"""Limit the cost of decoding image files, and interpret unusual ones."""
