"""Cuts, panels, sewing and draping of clothes."""
