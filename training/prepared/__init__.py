"""Select training pairs, encode them in advance or during training, and check them against the config."""
