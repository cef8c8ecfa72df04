"""Train the small models in this repository: VAE, image encoder, human parser, SAM 2."""
