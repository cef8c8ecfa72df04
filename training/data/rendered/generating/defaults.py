"""How much is made by default; apart from the making, so that commands show it without loading the renderer."""

PER_SHARD = 32
"""Records in a shard."""
HELD_OUT_PAIRS = 300
"""Pairs of the fixed held-out set."""
