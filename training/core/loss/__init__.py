"""The losses: Eq. 1, the terms that a config adds, and how a step combines them."""
