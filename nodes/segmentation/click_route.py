"""POST /igr/segment: the mask that the marks in Garment Segment's editor give, while no graph runs.

The body is JSON: model (a name from IGR Load Segmenter's list), image ({filename, subfolder, type}, as in /view, or
type example and a garment of IGR Example Person), points (as the node's) and candidates. The answer is a PNG, white
where the mask is and transparent elsewhere, or JSON with the entry error: one sentence.
"""

from __future__ import annotations

import json
import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.photo.images import PICTURE_SUFFIXES
from ...igr_core.segmentation.candidates import CHOICES, choose
from ...igr_core.segmentation.clicks import describe, read_clicks
from ..host.folders import find_file
from ..host.routes import Answer, add_file_route, add_route
from ..host.turns import is_running
from ..photos.example import EXAMPLES, GARMENTS
from .store import STORE

ROUTE, EXAMPLE_ROUTE = "/igr/segment", "/igr/example"
EXAMPLE = "example"
"""The type of image that ships with the pack."""
MAX_BODY = 16_384
"""Bytes of a request; 50 points take some 1,500."""
WAITING = 3
"""Requests that are under way at once: one of each of a few open editors, which send their newest marks only, and only
when their last request has ended."""
LONGEST = 1024
"""Longest side in pixels of the mask that is sent."""

logger = logging.getLogger(__name__)


class Refused(Exception):
    """A request that gets another status than 400; the text is its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def register_routes() -> None:
    """Have the host answer clicks, and show the example persons."""
    add_route(ROUTE, answer, MAX_BODY, WAITING)
    add_file_route(EXAMPLE_ROUTE, {garment: EXAMPLES / photo for garment, (photo, *_) in GARMENTS.items()})


def answer(content_type: str, body: bytes | None) -> Answer:
    """A mask for a request, or why there is none."""
    try:
        return _answer(content_type, body)
    except Refused as refused:
        return _error(refused.status, str(refused))
    except IGRError as error:
        return _error(400, str(error))
    except Exception:  # whatever it was, the editor waits for an answer and the log has the rest
        if is_running():  # the graph that has begun has taken the segmenter's memory
            return _error(429, _BUSY)
        logger.exception("A click could not be answered.")
        return _error(500, "The segmenter failed: ComfyUI's log says how.")


_BUSY = "ComfyUI is running a graph: the mask follows when it is done."


def _answer(content_type: str, body: bytes | None) -> Answer:
    if body is None:
        raise Refused(413, f"The request is longer than {MAX_BODY} bytes: send fewer points.")
    if content_type != "application/json":
        raise Refused(415, "The request must be JSON: send content type application/json.")
    data = _parse(body)
    clicks, candidates = read_clicks(data.get("points")), data.get("candidates", "best")
    if candidates not in CHOICES:
        raise IGRError(f"candidates must be one of {', '.join(CHOICES)}.")
    path = _picture(data.get("image"))
    model = data.get("model")
    if not isinstance(model, str):
        raise IGRError("model must be a name from IGR Load Segmenter's list.")
    _refuse_beside_graphs()  # at once, although loading and reading may take seconds
    with STORE.turn:
        _refuse_beside_graphs()
        segmenter = STORE.segmenter(model)
        try:
            embedding = STORE.embedding_of_file(segmenter, path, before_work=_refuse_beside_graphs)
        except IGRError as error:  # the name as the user knows it, without the server's folders
            raise IGRError(str(error).replace(str(path), path.name)) from error
        _refuse_beside_graphs()
        masks, scores = segmenter.masks(embedding, clicks.prompt(embedding.size))
    mask = choose(masks, scores, candidates)
    width, height = embedding.size
    headers = {
        "X-IGR-Scores": describe(masks, scores, mask),
        "X-IGR-Size": f"{width}x{height}",
        "Cache-Control": "no-store",
    }
    return Answer(200, to_png(mask), "image/png", headers)


def _refuse_beside_graphs() -> None:
    """Raise Refused where a graph runs or waits; host.turns tells what this leaves open."""
    if is_running():
        raise Refused(429, _BUSY)


def to_png(mask: Tensor) -> bytes:
    """A mask (1, 1, H, W) as a picture, white and transparent, no larger than the editor shows it."""
    height, width = mask.shape[-2:]
    scale = min(1.0, LONGEST / max(height, width))
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        mask = F.interpolate(mask, size, mode="area")
    alpha = mask[0, 0].mul(255).round().to(torch.uint8).cpu()
    picture = torch.stack([torch.full_like(alpha, 255), alpha], -1)  # (h, w, 2)
    out = BytesIO()
    Image.fromarray(picture.numpy(), mode="LA").save(out, "PNG", compress_level=1)
    return out.getvalue()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IGRError("The request is no JSON: send model, image and points.") from error
    if not isinstance(data, dict):
        raise IGRError("The request is not understood: send an object with model, image and points.")
    return data


def _picture(image: Any) -> Path:
    """The file that a request names; whatever lies outside ComfyUI's own folders is not there."""
    names = [image.get(name, "") for name in ("type", "subfolder", "filename")] if isinstance(image, dict) else []
    if not names or not all(isinstance(name, str) and len(name) <= 512 for name in names):
        raise IGRError("image must have a filename, a subfolder and a type in words.")
    kind, subfolder, filename = names
    if kind == EXAMPLE:
        if filename not in GARMENTS:
            raise Refused(404, "There is no example person of that name.")
        return EXAMPLES / GARMENTS[filename][0]
    if not filename.lower().endswith(PICTURE_SUFFIXES):
        known = ", ".join(PICTURE_SUFFIXES)
        raise IGRError(f"The photo must be a picture of a type that is read for clicks ({known}): save it as .png.")
    path = find_file(kind, subfolder, filename)
    if path is None:
        raise Refused(404, "The photo is not in ComfyUI's input, output or temp folder: choose it again in LoadImage.")
    return path


def _error(status: int, sentence: str) -> Answer:
    return Answer(status, json.dumps({"error": sentence}).encode(), "application/json")
