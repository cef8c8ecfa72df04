"""The rest of a photo (the person, the background, objects in front of the garment) and the masks."""
