"""Garment masks: from clicks, boxes and rough masks with SAM 2, or from a category with a human parser."""
