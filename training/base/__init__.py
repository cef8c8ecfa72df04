"""Foundations of every kind of training: configs, run folders, checkpoints, provenance, devices."""
