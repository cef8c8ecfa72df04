"""Rank the pairs of a data set, and drop pairs with defects and duplicates."""
