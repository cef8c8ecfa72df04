"""IGR without ComfyUI: the model, photos and masks, segmentation, restoring, and the command line."""
