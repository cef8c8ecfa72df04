"""What cloth looks like: weaves, patterns, prints, seams, and what shops make of which garment."""
