"""Fit the readout of a bundle's attention to pairs with a known correspondence, and measure its accuracy."""
