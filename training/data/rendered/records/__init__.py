"""Records: everything rendered from a seed, their conversion to bytes, and the shards that store them."""
