"""IGR's core: the model, its bundle, the photo geometry and the headless pipeline. Knows nothing of ComfyUI."""
