"""Experiments, which restore with bundles, and score and compare the results and folders of images."""
