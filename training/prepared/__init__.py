"""Pairs as the trainer reads them: chosen, encoded once or on the fly, checked against the config."""
