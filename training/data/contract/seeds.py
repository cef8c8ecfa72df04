"""The range of held-out seeds, in a separate module so that commands can show it quickly."""

HELD_OUT_START = 10_000_000
"""First held-out seed: drawn and rendered pairs with this or a larger seed are never used for training."""
