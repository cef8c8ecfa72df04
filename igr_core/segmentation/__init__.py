"""Garment masks: by SAM 2 from clicks, boxes and rough masks, by human parsers from a category."""
