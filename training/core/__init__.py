"""Train IGR at any scale: networks, objective, training loop, validation."""
