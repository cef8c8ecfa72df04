"""Optimisers, learning rates, averaged weights."""
