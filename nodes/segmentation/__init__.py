"""Garment masks from clicks, boxes and human parsers: their nodes, the route of the click editor, what both keep."""
