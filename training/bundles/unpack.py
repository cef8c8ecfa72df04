"""Extract a bundle's VAE and image encoder, to train other networks with them: `python -m training unpack BUNDLE`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import make_folder, write_tensors
from igr_core.model.bundle import Bundle
from igr_core.model.config import to_json

from ..base.parts import write_summary
from ..base.provenance import bundle_weights_sha256

PARTS = ("vae", "image_encoder")


def part_path(out: Path, part: str) -> Path:
    """Path for a part's weights; raises IGRError if this file or its .json file already exists."""
    path = out / part / f"{part}.safetensors"
    for file in (path, path.with_suffix(".json")):
        if os.path.lexists(file):
            raise IGRError(f"{file} already exists: choose a different --out, or move the existing file.")
    return path


def unpack_part(bundle: Bundle, part: str, out: Path) -> Path:
    """Write one part to OUT/PART/PART.safetensors with a .json beside it, in the same layout as a training run.

    The .json keeps the bundle's record of the part's training. Raises IGRError if the bundle does not contain the
    part, or if either file already exists, because it may be the only copy of a long run's result.
    """
    path = part_path(out, part)
    tensors = bundle.tensors(part)
    make_folder(path.parent)
    write_tensors(path, tensors)
    known: dict[str, Any] = dict(bundle.info.training.get(part, {}))
    known.pop("sha256", None)
    source = {"name": bundle.info.name, "weights_sha256": bundle_weights_sha256(bundle)}
    write_summary(path, {part: to_json(getattr(bundle.info.model, part)), **known, "unpacked_from": source})
    return path
