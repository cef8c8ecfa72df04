"""Paths of the demo models, which are used by default."""

from pathlib import Path

DEMO_BUNDLE = Path(__file__).parent / "demo.safetensors"
"""The demo bundle."""
DEMO_SEGMENTER = DEMO_BUNDLE.with_name("segmenter")
"""The small SAM 2, a folder in transformers' layout."""
DEMO_PARSER = DEMO_BUNDLE.with_name("parser")
"""The small human parser, a folder in transformers' layout."""
