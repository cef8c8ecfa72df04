"""Lay a worn garment out flat with the photo's own pixels."""
