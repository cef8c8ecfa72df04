"""IGR's core: the model, its bundle, the photo geometry and the headless pipeline. Knows nothing of ComfyUI."""

from .torchvision_import import declare_operators

declare_operators()  # before diffusers or transformers are imported
