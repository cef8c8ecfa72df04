"""Where the demo bundle lies: the small model that is used when no bundle is named."""

from pathlib import Path

DEMO_BUNDLE = Path(__file__).parent / "demo" / "demo.safetensors"
