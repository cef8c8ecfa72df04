"""Cutting, sewing, flattening and draping of clothes."""
