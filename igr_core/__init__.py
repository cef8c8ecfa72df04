"""IGR without ComfyUI: model, photo, segmentation and restore, with the command line on top."""
