"""Drawn and dressed pairs as shards on disk, memory-mapped."""
