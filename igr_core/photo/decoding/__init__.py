"""What image files cost to decode, and how unusual ones are read."""
