"""The appearance of cloth: weaves, patterns, prints and seams, and the usual choices for each kind of garment."""
