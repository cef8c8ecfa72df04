"""Experiments: restore garments with bundles, then score and compare the results and other folders of images."""
