"""Sets, light, cameras, rendering, and storage of photos."""
