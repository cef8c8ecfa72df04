"""Fit how a bundle's attention is read to pairs whose correspondence is known, and measure what it finds."""
