"""Deliberate defects in some pairs, for curation."""

DEFECTS = ("occluded", "truncated", "side_view", "extreme_proportion")
