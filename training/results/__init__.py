"""Stored results, and the tables made from them."""
