"""Experiments: comparing, running and scoring bundles and folders."""
