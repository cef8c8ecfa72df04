"""Sources of photos (rendered examples, and folders of photos with masks), and the contact sheet of a run."""
