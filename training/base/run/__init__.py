"""A training run on disk: its folder, checkpoints and random states, resuming and stopping."""
