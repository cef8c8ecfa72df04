"""From a dressed view to a picture: textures, light on them, and what a camera stores."""
