"""What every kind of training builds on: configs, run folders, checkpoints, provenance, devices."""
