"""Optimisers, learning rates and averaged weights."""
