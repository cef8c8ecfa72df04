"""POST /igr/segment: return the mask for the marks in Garment Segment's editor, while no workflow is running.

The body is JSON with model (a name from IGR Load Segmenter's list), image ({filename, subfolder, type} as in /view, or
with the type example and a garment of IGR Example Person as filename), points (as in the node) and candidates. The
response is a PNG, white on the mask and transparent elsewhere, or JSON with an error message in `error`.
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
from ...igr_core.photo.image_files import IMAGE_SUFFIXES, is_mirrored
from ...igr_core.segmentation.candidates import CHOICES, choose
from ...igr_core.segmentation.clicks import describe, read_clicks
from ..host.folders import find_file, undoes_mirroring
from ..host.locking import is_running
from ..host.routes import Answer, add_file_route, add_route
from ..photos.shipped import EXAMPLES, GARMENTS
from .store import STORE

ROUTE, EXAMPLE_ROUTE = "/igr/segment", "/igr/example"
EXAMPLE = "example"
"""Image type of the examples that ship with the pack."""
MAX_BODY = 16_384
"""Maximum size of a request in bytes; 50 points take about 1,500."""
WAITING = 3
"""Maximum number of concurrent requests; enough for a few open editors, each of which sends one request at a time."""
LONGEST = 1024
"""Longest side in pixels of the mask in the response."""

logger = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is answered with a status other than 400; the message is shown to the user."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def register_routes() -> None:
    """Register the routes for clicks and for the example photos."""
    add_route(ROUTE, answer, MAX_BODY, WAITING)
    add_file_route(EXAMPLE_ROUTE, {garment: EXAMPLES / photo for garment, (photo, *_) in GARMENTS.items()})


def answer(content_type: str, body: bytes | None) -> Answer:
    """The mask for a request, or an error."""
    try:
        return _answer(content_type, body)
    except Refused as refused:
        return _error(refused.status, str(refused))
    except IGRError as error:
        return _error(400, str(error))
    except Exception:  # the editor waits for a response; the details are in the log
        if is_running():  # a workflow has started and taken the segmenter's memory
            return _error(429, _BUSY)
        logger.exception("Could not compute the mask for a click.")
        return _error(500, "The segmenter failed: see ComfyUI's log for details.")


_BUSY = "ComfyUI is running a workflow: the mask will be updated when the workflow has finished."


def _answer(content_type: str, body: bytes | None) -> Answer:
    if body is None:
        raise Refused(413, f"The request is larger than {MAX_BODY} bytes: send fewer points.")
    if content_type != "application/json":
        raise Refused(415, "The request must be JSON: set the content type to application/json.")
    data = _parse(body)
    clicks, candidates = read_clicks(data.get("points")), data.get("candidates", "best")
    if candidates not in CHOICES:
        raise IGRError(f"candidates must be one of {', '.join(CHOICES)}.")
    path = _image_path(data.get("image"))
    model = data.get("model")
    if not isinstance(model, str):
        raise IGRError("model must be a name from IGR Load Segmenter's list.")
    _refuse_beside_graphs()  # before loading and reading, which may take seconds
    with STORE.turn:
        _refuse_beside_graphs()
        segmenter = STORE.segmenter(model)
        try:
            _refuse_mirrored(path)
            embedding = STORE.embedding_of_file(segmenter, path, before_work=_refuse_beside_graphs)
        except IGRError as error:  # show the file name only, not the server's folders
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
    """Raise Refused if a workflow is running or queued; host.locking describes what this does not cover."""
    if is_running():
        raise Refused(429, _BUSY)


def _refuse_mirrored(path: Path) -> None:
    """Raise IGRError for a photo that the browser mirrors but Load Image does not; clicks would miss the garment."""
    if is_mirrored(path) and not undoes_mirroring():
        raise IGRError(
            f"{path} is stored mirrored (EXIF orientation), and Load Image does not undo that, so the photo used in "
            "the run would differ from the one shown in the click editor. Save the photo again in an image editor."
        )


def to_png(mask: Tensor) -> bytes:
    """A mask (1, 1, H, W) as a PNG, white on transparent, with a longest side of at most LONGEST."""
    height, width = mask.shape[-2:]
    scale = min(1.0, LONGEST / max(height, width))
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        mask = F.interpolate(mask, size, mode="area")
    alpha = mask[0, 0].mul(255).round().to(torch.uint8).cpu()
    pixels = torch.stack([torch.full_like(alpha, 255), alpha], -1)  # (h, w, 2)
    out = BytesIO()
    Image.fromarray(pixels.numpy(), mode="LA").save(out, "PNG", compress_level=1)
    return out.getvalue()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IGRError("The request is not valid JSON: send model, image and points.") from error
    if not isinstance(data, dict):
        raise IGRError("The request must be a JSON object: send model, image and points.")
    return data


def _image_path(image: Any) -> Path:
    """The image file of a request; files outside ComfyUI's own folders are treated as missing."""
    names = [image.get(name, "") for name in ("type", "subfolder", "filename")] if isinstance(image, dict) else []
    if not names or not all(isinstance(name, str) and len(name) <= 512 for name in names):
        raise IGRError("image must have filename, subfolder and type as strings.")
    kind, subfolder, filename = names
    if kind == EXAMPLE:
        if filename not in GARMENTS:
            raise Refused(404, "There is no example person with that name.")
        return EXAMPLES / GARMENTS[filename][0]
    if not filename.lower().endswith(IMAGE_SUFFIXES):
        known = ", ".join(IMAGE_SUFFIXES)
        raise IGRError(f"This image type is not supported: save the photo as .png ({known} also work).")
    path = find_file(kind, subfolder, filename)
    if path is None:
        raise Refused(
            404, "The photo is not in ComfyUI's input, output or temp folder: choose the photo again in Load Image."
        )
    return path


def _error(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"error": message}).encode(), "application/json")
