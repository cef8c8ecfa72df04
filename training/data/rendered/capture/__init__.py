"""First stage: people who wear a garment, in front of a camera."""
