"""Paths of the included models, which are used by default."""

from pathlib import Path

INCLUDED_NAME = "igr-small"
"""Name of the included bundle in lists of models and in experiments."""
INCLUDED_BUNDLE = Path(__file__).parent / "igr_small.safetensors"
"""igr-small, the bundle."""
INCLUDED_SEGMENTER = INCLUDED_BUNDLE.with_name("segmenter")
"""The small SAM 2, a folder in transformers' layout."""
INCLUDED_PARSER = INCLUDED_BUNDLE.with_name("parser")
"""The small human parser, a folder in transformers' layout."""

INCLUDED_FLATTENER = INCLUDED_BUNDLE.with_name("flattener.safetensors")
"""The network that lays garments out flat."""
INCLUDED_OUTLINES = INCLUDED_BUNDLE.with_name("flattener_outlines.npz")
"""Outlines of flat garments, which the flattener uses."""
