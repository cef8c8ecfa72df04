"""Sources of photos: rendered examples, and folders of photos with masks."""
