"""IGR's core: the model, its bundle, the photo geometry and the headless pipeline. Knows nothing of ComfyUI."""

from .torchvision_import import prepare_import

prepare_import()  # before diffusers or transformers import torchvision
