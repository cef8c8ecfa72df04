"""Caches of drawn and dressed pairs: memory-mapped shards on disk."""
