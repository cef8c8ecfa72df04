"""Garments: their style, and the parts that they are made of."""
