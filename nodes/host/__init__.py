"""Everything that touches ComfyUI's internals; the rest of nodes/ knows only its public `comfy_api`.

- `folders`: model folders, and files below input, output and temp
- `networks`: a bundle's networks as ComfyUI's own, and checks of those that the user connects
- `blocks`: ComfyUI's names for transformer blocks
- `encoding`: VAE, GarmNet and image prompt read the photo
- `garmfus_patch`: GarmFus on a clone of a MODEL
- `marks`: which conditionings see the reference
- `compiling`: torch.compile beside the reference
- `sampling`: ComfyUI's samplers and schedulers, and the paper's DDIM
- `segmentation`: SAM 2 and human parsers under ComfyUI's memory management
- `turns`: graphs and clicks take turns with the networks
- `routes`: HTTP routes on ComfyUI's server
- `ui`: progress, previews and notes

Networks are moved and patched through ModelPatcher only, and patches always go on a clone.
"""
