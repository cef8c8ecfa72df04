"""Stage one: people who wear a garment, before cameras."""
