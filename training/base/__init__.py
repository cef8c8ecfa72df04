"""Shared code of all training commands: configs, runs on disk, optimisers, provenance, statistics."""
