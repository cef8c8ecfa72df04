"""Garments: their styles and their parts."""
