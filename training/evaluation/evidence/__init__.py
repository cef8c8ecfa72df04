"""Rows of scores over held-out drawn pairs, as the README shows them."""
