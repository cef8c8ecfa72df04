"""Default numbers of records, in a separate module so that commands can show them without loading the renderer."""

PER_SHARD = 32
"""Records per shard."""
HELD_OUT_PAIRS = 300
"""Number of pairs in the fixed held-out set."""
