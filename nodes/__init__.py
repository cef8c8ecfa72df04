"""IGR's nodes for ComfyUI, one file per node or family; only host/ touches ComfyUI's internals."""
