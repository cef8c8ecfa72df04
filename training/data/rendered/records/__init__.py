"""Records: what is rendered from a seed, its bytes, and the shards that store many of them."""
