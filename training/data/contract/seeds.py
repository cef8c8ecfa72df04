"""The range of held-out seeds, in a module of its own so that commands can show it quickly."""

HELD_OUT_START = 10_000_000
"""Drawn and rendered pairs with seeds from this one on are never used for training."""
