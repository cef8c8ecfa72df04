"""Garment masks from clicks, boxes and rough masks (SAM 2), or from a category (a human parser)."""
