"""Saying what a file that is not a bundle seems to be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_MARKS = (
    (("lora_up.", "lora_down.", "lora_A.", "lora_B.", "lora_unet_"), "a LoRA"),
    (("control_model.", "controlnet_cond_embedding."), "a ControlNet"),
    (("ip_adapter.", "image_proj."), "a plain IP-Adapter"),
    (("model.diffusion_model.",), "a full Stable Diffusion checkpoint"),
    (("double_blocks.", "transformer_blocks.", "joint_blocks."), "a diffusion transformer such as FLUX"),
    (("down_blocks.", "input_blocks."), "a plain diffusion UNet"),
    (("vision_model.", "visual."), "a CLIP vision model"),
    (("text_model.",), "a text encoder"),
    (("first_stage_model.", "encoder.conv_in.", "decoder.conv_in."), "a VAE"),
)
"""Pieces of tensor names that give a kind of file away, the most telling first."""

_STARTS = (
    (b"PK\x03\x04", "it is a PyTorch or zip archive, and bundles are safetensors files: choose the .safetensors file"),
    (b"\x80", "it is a Python pickle, and bundles are safetensors files: choose the .safetensors file"),
    (b"GGUF", "it is a GGUF file, and bundles are safetensors files: choose the .safetensors file"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    (b"<", "it is a web page saved in place of the file: download it again"),
)
"""First bytes of the files that are most often taken for a bundle."""


def explain_foreign_keys(keys: Iterable[str]) -> str:
    """Say what a safetensors file without our header seems to be, and what to do."""
    keys = list(keys)
    for marks, kind in _MARKS:
        if any(mark in key for key in keys for mark in marks):
            return f"it seems to be {kind}; choose a file from models/igr or one made by training.export"
    return "its header has no IGR entry; choose a file from models/igr or one made by training.export"


def explain_unreadable(path: Path) -> str:
    """Say why a file does not open as safetensors, from its first bytes and its length."""
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
    return "it is not a safetensors file; choose a file from models/igr or one made by training.export"
