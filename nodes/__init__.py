"""ComfyUI nodes of IGR, one file per node or family; host/ alone touches ComfyUI's internals."""
