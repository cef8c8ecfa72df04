"""The small SAM 2."""
