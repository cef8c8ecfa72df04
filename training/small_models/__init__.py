"""The small models that ship: VAE, image encoder, human parser, SAM 2."""
