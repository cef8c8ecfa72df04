"""Sets, light, cameras, rendering, and what is stored of a photo."""
