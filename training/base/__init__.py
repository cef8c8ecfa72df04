"""Basics of every training: configs, runs on disk, optimisers, provenance, statistics."""
