"""The input: images and masks read and checked, and the view of a photo that the model sees."""
