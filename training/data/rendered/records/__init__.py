"""Records: what is rendered of one seed, its bytes, and the shards that hold many."""
