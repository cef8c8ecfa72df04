"""Everything that touches ComfyUI's internals; the rest of nodes/ only uses its public `comfy_api`.

- `folders`: model folders, and files in the input, output and temp folders
- `networks`: a bundle's networks as ComfyUI models, and checks of connected ones
- `blocks`: ComfyUI's names for transformer blocks
- `encoding`: encode the photo with the VAE, GarmNet and the image prompt
- `garmfus_patch`: GarmFus on a clone of a MODEL
- `marks`: which conditionings use the reference
- `compiling`: disabling torch.compile in runs with a reference
- `sampling`: ComfyUI's samplers and schedulers, and the paper's DDIM
- `segmentation`: SAM 2 and human parsers under ComfyUI's memory management
- `locking`: let workflows and clicks take turns using the networks
- `routes`: HTTP routes on ComfyUI's server
- `ui`: progress, previews and notes

Networks are only moved and patched through ModelPatcher, and patches are always applied to a clone.
"""
