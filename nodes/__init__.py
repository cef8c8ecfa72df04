"""ComfyUI nodes of IGR, one file per subject; host.py alone touches ComfyUI's internals."""
