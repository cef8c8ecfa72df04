"""The rest of a photo: the person, objects in front of the garment, the background; and the masks."""
