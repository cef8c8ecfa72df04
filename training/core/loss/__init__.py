"""The losses: Eq. 1, the terms that a config adds to it, and how they join in a step."""
