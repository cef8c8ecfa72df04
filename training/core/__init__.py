"""Training IGR at any scale: networks, objective, the loop, validation."""
