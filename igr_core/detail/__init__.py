"""Locate each part of a garment in the photo from the reference attention, and transfer its pixels."""
