"""Sources of photos: drawn examples, and folders of photos with masks."""
