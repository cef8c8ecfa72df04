"""The fixed held-out set: a small tar of pairs with bodies, poses, cuts and textures that no training seed uses."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.storage import Folder

from ..contract.seeds import HELD_OUT_START
from .base.settings import RenderSettings
from .generating.generate import generate
from .records.record import record_name
from .records.shards import RecordShards, tar_bytes
from .source import RenderedPairs
from .studio.storing import encode_correspondence

FILE = "held-out.tar"
"""File name of the set; its layout is tars, with the additional members `flow` and `agnostic.png`."""
SIZE = (192, 256)
"""Width and height in pixels of the set's images."""
FLOW_SCALE = 8
"""Side, in garment pixels, of the block covered by each entry of the correspondence."""
QUALITY = 88
"""JPEG quality."""
SETTINGS = RenderSettings(photos=1, held_out=True)
"""Settings with which the set's records are rendered."""


def write_held_out(out: Path, count: int, workers: int, ray: str | None = None, settings: RenderSettings = SETTINGS,
                   **options) -> tuple[Path, str]:  # fmt: skip
    """Render `count` held-out garments into OUT/records, dress them, and write OUT/held-out.tar.

    Returns the tar's path and SHA-256. Skipped seeds are replaced by the next ones. `options` are passed to `generate`.
    Raises IGRError as `generate` does, or if more than half of the garments are skipped.
    """
    records = str(out / "records")
    wanted = count
    while True:
        generate(records, range(HELD_OUT_START, HELD_OUT_START + wanted), settings, workers, ray, **options)
        found = len(RecordShards(records).seeds)  # every record has at least one photo
        if found >= count:
            break
        wanted += count - found
        if wanted > 2 * count:
            raise IGRError(
                f"More than half of the held-out garments in {records} could not be rendered: see the rejection counts "
                "above."
            )
    source = RenderedPairs(records, split="test")
    samples = [(source.entries[index].name.replace("/", "-"), _members(source, index)) for index in range(count)]
    Folder(out).write(FILE, tar_bytes(samples))
    return out / FILE, sha256(out / FILE)


def _members(source: RenderedPairs, index: int) -> dict[str, bytes]:
    pair, entry = source.pair(index), source.entries[index]
    scale = SIZE[0] / pair.person.width
    label = {
        "name": entry.name,
        "category": entry.category,
        "attributes": pair.attributes,
        "keypoints": {name: [x * scale, y * scale, sure] for name, (x, y, sure) in pair.joints.items()},
        "parsing": "ATR-18",
        "record": record_name(source.places[index].seed),
    }
    return {
        "json": json.dumps(label, sort_keys=True).encode(),
        "person.jpg": _encoded(pair.person, Image.Resampling.LANCZOS, "JPEG"),
        "garment.jpg": _encoded(pair.garment, Image.Resampling.LANCZOS, "JPEG"),
        "mask.png": _encoded(pair.garment_mask, Image.Resampling.NEAREST, "PNG"),
        "agnostic.png": _encoded(pair.agnostic_mask, Image.Resampling.NEAREST, "PNG"),
        "parsing.png": _encoded(pair.parsing, Image.Resampling.NEAREST, "PNG"),
        "cover.png": _encoded(pair.garment_silhouette, Image.Resampling.NEAREST, "PNG"),
        "flow": encode_correspondence(coarse_correspondence(pair.correspondence, scale)),
    }


def coarse_correspondence(flow: np.ndarray, scale: float) -> np.ndarray:
    """Position (h, w, 2) in photo pixels of the centre of each block of FLOW_SCALE x FLOW_SCALE garment pixels."""
    height, width = SIZE[1] // FLOW_SCALE, SIZE[0] // FLOW_SCALE
    rows = ((np.arange(height) + 0.5) * flow.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * flow.shape[1] / width).astype(int)
    return (flow[rows[:, None], columns] * scale).astype(np.float32)


def _encoded(picture: Image.Image, resample: Image.Resampling, kind: str) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": QUALITY, "subsampling": 0} if kind == "JPEG" else {"optimize": True}
    picture.resize(SIZE, resample).save(buffer, kind, **options)
    return buffer.getvalue()
