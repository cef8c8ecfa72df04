"""Saying what a file seems to be that is not the one wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_TAKE_A_BUNDLE = "choose a file from models/igr or one made by python -m training export"

_MARKS = (
    (r"^(image_proj|ip_adapter)\.", "a plain IP-Adapter"),
    (r"^lora_(unet|te\d?|transformer)_|[._]lora[._](up|down|A|B)\.|[._]lora_linear_layer\.", "a LoRA"),
    (r"^control_model\.|^controlnet_", "a ControlNet"),
    # SD1.5's UNets have transformer_blocks too, but deep inside their names.
    (
        r"^(model\.diffusion_model\.|transformer\.)?(double_blocks|single_blocks|joint_blocks|transformer_blocks)\.",
        "a diffusion transformer such as FLUX",
    ),
    (r"^model\.diffusion_model\.", "a full Stable Diffusion checkpoint"),
    (r"^(first_stage_model\.|vae\.)?(encoder|decoder)\.conv_in\.", "a VAE"),
    (r"^(unet\.)?(down_blocks|up_blocks|input_blocks|output_blocks)\.", "a plain diffusion UNet"),
    (r"^(sam_)?(mask_decoder|prompt_encoder)\.", "a SAM segmentation model"),
    (r"^(vision_model|visual)\.", "a CLIP vision model"),
    (r"^(text_model|cond_stage_model|encoder\.block)\.", "a text encoder"),
)
"""Patterns of tensor names that give a kind of file away; a kind that holds another (an adapter its LoRA) first."""

_STARTS = (
    (
        b"PK\x03\x04",
        "it is a PyTorch or zip archive, and only safetensors is read: choose the .safetensors file",
    ),
    (b"\x80", "it is a Python pickle, and only safetensors is read: choose the .safetensors file"),
    (b"GGUF", "it is a GGUF file, and only safetensors is read: choose the .safetensors file"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    (b"<", "it is a web page saved in place of the file: download it again"),
)
"""First bytes of the files that are most often taken for a model in safetensors."""


def kind_of(keys: Iterable[str]) -> str | None:
    """What a safetensors file with tensors of these names seems to be."""
    keys = list(keys)
    return next((kind for mark, kind in _MARKS if any(re.search(mark, key) for key in keys)), None)


def explain_foreign_keys(keys: Iterable[str]) -> str:
    """Say what a safetensors file without our header seems to be, and what to do."""
    kind = kind_of(keys)
    return f"{f'it seems to be {kind}' if kind else 'its header has no IGR entry'}; {_TAKE_A_BUNDLE}"


def explain_unreadable(path: Path, remedy: str = _TAKE_A_BUNDLE) -> str:
    """Say why a file does not open as safetensors, from its first bytes and its length; `remedy` is what to do."""
    size = path.stat().st_size
    if size == 0:
        return "it is empty; download or export it again"
    with path.open("rb") as handle:
        start = handle.read(32)
    for magic, sentence in _STARTS:
        if start.startswith(magic):
            return sentence
    # A safetensors file begins with the header's length (8 bytes) and the header's opening brace.
    if start[8:9] == b"{" or size < 9:
        return "it is truncated or damaged; download or export it again"
    return f"it is not a safetensors file; {remedy}"
