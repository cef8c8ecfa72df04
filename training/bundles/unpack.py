"""Extract a bundle's VAE and image encoder, to train other networks with them: `python -m training unpack BUNDLE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.files import make_folder, write_tensors
from igr_core.model.bundle import Bundle
from igr_core.model.config import to_json

from ..base.parts import write_summary
from ..base.provenance import bundle_weights_sha256

PARTS = ("vae", "image_encoder")


def unpack_part(bundle: Bundle, part: str, out: Path) -> Path:
    """Write one part as OUT/PART/PART.safetensors with its .json, as written when the part was trained.

    The .json keeps the bundle's record of the part's training. Raises IGRError if the bundle does not contain the
    part, or if the file exists, because it may be the only copy of a long run's result.
    """
    tensors = bundle.tensors(part)
    path = out / part / f"{part}.safetensors"
    if path.exists():
        raise IGRError(f"{path} already exists: choose a different --out, or move the existing file.")
    make_folder(path.parent)
    write_tensors(path, tensors)
    known: dict[str, Any] = dict(bundle.info.training.get(part, {}))
    known.pop("sha256", None)
    source = {"name": bundle.info.name, "weights_sha256": bundle_weights_sha256(bundle)}
    write_summary(path, {part: to_json(getattr(bundle.info.model, part)), **known, "unpacked_from": source})
    return path
