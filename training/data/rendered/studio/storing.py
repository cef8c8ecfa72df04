"""Storage of views and correspondences: exact labels, lengths to a tenth of a millimetre, light in 8 bits."""

from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from igr_core.errors import IGRError

from ..base.surfaces import CLOTH
from ..base.views import SUBSAMPLES, Label, View
from .fields import Reader, pack_field, unpack_field

MAGIC = b"IGRV1\n"
"""Prefix of every stored view."""
CLOTH_STEP = 2e-4
"""Step size in metres of stored positions on cloth; the error is at most half a step."""
WALL_STEP = 0.1
"""Step in pixels of stored positions on walls and floors."""
FLOW_STEP = 1 / 32
"""Step in pixels of a stored correspondence."""
ZLIB_LEVEL = 6
GLOSS_QUALITY = 92
"""JPEG quality."""
PAINT_QUALITY = 92
"""WebP quality."""


def encode_view(view: View) -> bytes:
    """A view as bytes, about 150 to 250 KB at 384 x 512; the same view gives the same bytes.

    Light and gloss are stored as square roots in 8 bits, light without further loss.
    """
    centre = view.centres
    uv, steps = _encode_uv(view, centre)
    most_light, most_gloss = (float(max(values.max(), 1e-6)) for values in (view.light, view.gloss))
    light = _picture(np.sqrt(view.light / most_light), "WEBP", lossless=True, method=2)
    gloss = _picture(np.sqrt(view.gloss / most_gloss), "JPEG", quality=GLOSS_QUALITY)
    paint = _picture(view.paint, "WEBP", quality=PAINT_QUALITY, method=2)
    parts = [*_encode_labels(view.labels, centre), uv, light, gloss, paint]
    metadata = {
        "size": [centre.shape[1], centre.shape[0]],
        "table": [asdict(label) for label in view.table],
        "steps": steps,
        "most": [most_light, most_gloss],
        "pixels_per_metre": view.pixels_per_metre,
        "parts": [len(part) for part in parts],
    }
    header = json.dumps(metadata, separators=(",", ":")).encode()
    return b"".join([MAGIC, struct.pack("<I", len(header)), header, *parts])


def decode_view(data: bytes) -> View:
    """The view in `data`; raises IGRError if the bytes are not a stored view."""
    try:
        return _decode_view(data)
    except (ValueError, KeyError, TypeError, IndexError, struct.error, zlib.error, OSError) as error:
        raise IGRError(f"A stored view cannot be read ({error}): copy the shard again.") from error


def encode_correspondence(flow: np.ndarray) -> bytes:
    """A correspondence (h, w, 2) float32 in pixels, NaN where not visible, as bytes; exact to a 64th of a pixel."""
    valid = np.isfinite(flow).all(axis=-1)
    whole = np.round(np.where(valid[..., None], flow, 0) / FLOW_STEP).astype(np.int64)
    if whole.min() < 0 or whole.max() > 0xFFFF:
        raise IGRError("A correspondence exceeds the limit of 2048 pixels: check its positions.")
    height, width = valid.shape
    head = struct.pack("<HH", height, width)
    return head + zlib.compress(np.packbits(valid).tobytes() + pack_field(whole.astype(np.uint16), valid), ZLIB_LEVEL)


def decode_correspondence(data: bytes) -> np.ndarray:
    """The correspondence (h, w, 2) float32 in `data`; raises IGRError if the bytes are not a stored correspondence."""
    try:
        height, width = struct.unpack_from("<HH", data)
        reader = Reader(zlib.decompress(data[4:]))
        valid = np.unpackbits(reader.take((height * width + 7) // 8), count=height * width).astype(bool)
        whole = unpack_field(reader, (height, width, 2))
    except (ValueError, struct.error, zlib.error) as error:
        raise IGRError(f"The bytes are not a stored correspondence ({error}): copy the shard again.") from error
    flow = whole.transpose(1, 2, 0).astype(np.float32, order="C") * np.float32(FLOW_STEP)
    flow[~valid.reshape(height, width)] = np.nan
    return flow


def _decode_view(data: bytes) -> View:
    if not data.startswith(MAGIC):
        raise ValueError(f"the data does not begin with {MAGIC!r}")
    start = len(MAGIC) + 4
    (length,) = struct.unpack_from("<I", data, len(MAGIC))
    metadata = json.loads(data[start : start + length])
    parts, at = [], start + length
    for size in metadata["parts"]:
        parts.append(data[at : at + size])
        at += size
    if at != len(data):
        raise ValueError("the data is truncated")
    width, height = metadata["size"]
    labels, centre = _decode_labels(parts[0], parts[1], (height, width))
    most_light, most_gloss = metadata["most"]
    return View(
        labels=labels,
        table=tuple(Label(**label) for label in metadata["table"]),
        uv=_decode_uv(parts[2], centre, metadata["steps"]),
        light=_values(parts[3]) ** 2 * np.float32(most_light),
        gloss=_values(parts[4]) ** 2 * np.float32(most_gloss),
        paint=_values(parts[5]),
        pixels_per_metre=float(metadata["pixels_per_metre"]),
    )


def _encode_labels(labels: np.ndarray, centre: np.ndarray) -> tuple[bytes, bytes]:
    """Labels at the pixels' centres, and labels of the subsamples in pixels that have several labels."""
    blocks = _blocks(labels)
    mixed = (blocks != centre.reshape(-1, 1)).any(axis=1)
    changes = np.diff(centre, axis=1, prepend=np.uint8(0))
    return zlib.compress(changes.tobytes(), ZLIB_LEVEL), zlib.compress(
        np.packbits(mixed).tobytes() + blocks[mixed].tobytes(), ZLIB_LEVEL
    )


def _decode_labels(whole: bytes, fine: bytes, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels (h * n, w * n), and the labels at the centres (h, w)."""
    height, width = shape
    changes = np.frombuffer(zlib.decompress(whole), np.uint8).reshape(shape)
    centre = np.cumsum(changes, axis=1, dtype=np.uint8)
    reader = Reader(zlib.decompress(fine))
    mixed = np.unpackbits(reader.take((height * width + 7) // 8), count=height * width).astype(bool)
    grid = np.empty((height, SUBSAMPLES, width, SUBSAMPLES), np.uint8)
    grid[:] = centre[:, None, :, None]
    rows, columns = np.divmod(np.flatnonzero(mixed), width)
    grid[rows, :, columns, :] = reader.rest().reshape(-1, SUBSAMPLES, SUBSAMPLES)
    return grid.reshape(height * SUBSAMPLES, width * SUBSAMPLES), centre


def _blocks(labels: np.ndarray) -> np.ndarray:
    """(h * w, n * n): the labels of each pixel's subsamples."""
    height, width = labels.shape[0] // SUBSAMPLES, labels.shape[1] // SUBSAMPLES
    grid = labels.reshape(height, SUBSAMPLES, width, SUBSAMPLES).transpose(0, 2, 1, 3)
    return grid.reshape(height * width, SUBSAMPLES**2)


def _encode_uv(view: View, centre: np.ndarray) -> tuple[bytes, dict[str, list[float]]]:
    """Positions on the panels, and for each label the smallest u and v and the step."""
    whole = np.zeros((*centre.shape, 2), np.uint16)
    valid = np.isfinite(view.uv).all(axis=-1)
    steps: dict[str, list[float]] = {}
    for number in np.unique(centre[valid]):
        chosen = valid & (centre == number)
        values = view.uv[chosen].astype(np.float64)
        low = values.min(axis=0)
        wanted = CLOTH_STEP if view.table[number].kind in CLOTH else WALL_STEP / view.pixels_per_metre
        step = max(wanted, float(np.ptp(values, axis=0).max()) / 0xFFFF)
        whole[chosen] = np.round((values - low) / step).astype(np.uint16)
        steps[str(number)] = [*low.tolist(), step]
    return zlib.compress(pack_field(whole, valid), ZLIB_LEVEL), steps


def _decode_uv(data: bytes, centre: np.ndarray, steps: dict[str, Any]) -> np.ndarray:
    planes = unpack_field(Reader(zlib.decompress(data)), (*centre.shape, 2))
    # step, then smallest u and v, of each label; NaN if the label has no panel
    scale = np.full((3, 256), np.nan, np.float32)
    for number, (low_u, low_v, step) in steps.items():
        scale[:, int(number)] = step, low_u, low_v
    step = scale[0].take(centre)
    uv = np.empty((*centre.shape, 2), np.float32)
    for axis, plane in enumerate(planes):
        uv[..., axis] = plane * step + scale[axis + 1].take(centre)
    return uv


def _picture(values: np.ndarray, kind: str, **options: Any) -> bytes:
    """Encode values (h, w) or (h, w, 3) in 0..1 as an 8-bit image."""
    out = io.BytesIO()
    Image.fromarray(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)).save(out, kind, **options)
    return out.getvalue()


def _values(data: bytes) -> np.ndarray:
    """Decode an image made by _picture to values, float32 in 0..1."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture).astype(np.float32) * np.float32(1 / 255)
