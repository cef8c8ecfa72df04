"""What every kind of training builds on: configs, runs on disk, optimisers, provenance, statistics."""
