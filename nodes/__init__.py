"""ComfyUI nodes of IGR, one file per node or family; only host/ touches ComfyUI's internals."""
