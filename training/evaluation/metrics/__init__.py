"""Metrics, computed with the libraries and settings that a protocol names."""
