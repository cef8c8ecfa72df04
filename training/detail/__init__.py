"""Fit the readout of a bundle's attention to pairs with known correspondences, and measure its accuracy."""
