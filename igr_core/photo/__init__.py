"""Reading and checking images and masks, and the view of a photo that the model sees."""
