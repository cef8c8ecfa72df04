"""Seeds reserved for training, in a module of their own so that commands can show them quickly."""

HELD_OUT_START = 10_000_000
"""Drawn and rendered pairs with seeds from this one on are never used for training."""
