"""What goes in: images on disk, photo and mask checks, and the view of them that the model sees."""
