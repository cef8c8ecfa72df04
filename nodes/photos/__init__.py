"""Where photos come from: drawn examples, and folders of photos with masks."""
