"""Garment masks from clicks, boxes and human parsers: the nodes, the click editor's route, and their shared cache."""
