"""The look of cloth: weaves, patterns, prints, seams, and what is usual for each garment."""
