"""Training pairs: selected, encoded in advance or on the fly, and checked against the config."""
