"""From a dressed view to an image: textures, lighting, and the camera."""
