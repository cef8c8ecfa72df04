"""Read and check images and masks, and create the view of a photo that the model sees."""
