"""The demo's own SAM 2."""
