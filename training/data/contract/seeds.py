"""Which seeds are for training; apart from the pairs, so that commands say it without loading them."""

HELD_OUT_START = 10_000_000
"""Seeds of drawn and of rendered pairs from here on are never trained on."""
