"""What a photo shows besides the garment: the person, what hides the garment, the background; and its masks."""
