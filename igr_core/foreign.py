"""Explain what a file seems to be if it is not of the expected type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_TAKE_A_BUNDLE = "choose a file from models/igr, or one written by `python -m training export`"

_MARKS = (
    (r"^(image_proj|ip_adapter)\.", "a plain IP-Adapter"),
    (r"^lora_(unet|te\d?|transformer)_|[._]lora[._](up|down|A|B)\.|[._]lora_linear_layer\.", "a LoRA"),
    (r"^control_model\.|^controlnet_", "a ControlNet"),
    # SD1.5 UNets have transformer_blocks too, but not at the start of a name.
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
"""Patterns of tensor names that identify a type of file; a type that may contain another (an adapter with a LoRA) comes
first."""

_STARTS = (
    (
        b"PK\x03\x04",
        "it is a PyTorch or zip archive, but only safetensors files are supported: choose the .safetensors file",
    ),
    (b"\x80", "it is a Python pickle, but only safetensors files are supported: choose the .safetensors file"),
    (b"GGUF", "it is a GGUF file, but only safetensors files are supported: choose the .safetensors file"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    (b"<", "it is a web page saved instead of the file: download the file again"),
)
"""First bytes of files that are often mistaken for safetensors models."""


def kind_of(keys: Iterable[str]) -> str | None:
    """Likely type of a safetensors file with these tensor names; None if unknown."""
    keys = list(keys)
    return next((kind for mark, kind in _MARKS if any(re.search(mark, key) for key in keys)), None)


def explain_foreign_keys(keys: Iterable[str]) -> str:
    """Explain what a safetensors file without an IGR header seems to be, and what to do."""
    kind = kind_of(keys)
    return f"{f'it seems to be {kind}' if kind else 'its header has no IGR entry'}; {_TAKE_A_BUNDLE}"


def explain_unreadable(path: Path, remedy: str = _TAKE_A_BUNDLE) -> str:
    """Explain why a file is not valid safetensors, from its first bytes and length; `remedy` says what to do."""
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
