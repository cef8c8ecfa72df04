"""Folders of photos and masks below ComfyUI's input folder, and graphs that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.support.host.graphs import node
from tests.support.host.server import Graph, Server

LEVELS = {"anna": 40, "bert": 90, "carl": 140, "dora": 190}
"""Grey level of each person's photo, and height of the mask in rows; masks stay off the edges and cause no warnings."""


def put(server: Server, case: str, name: str, ending: str = ".png", mask: tuple[int, int] | None = None) -> Path:
    """Write a photo of at least 300 x 400 pixels and its mask, with a different size if one is given."""
    photos, masks = (server.base / "input" / case / folder for folder in ("photos", "masks"))
    photos.mkdir(parents=True, exist_ok=True)
    masks.mkdir(exist_ok=True)
    size = (300 + len(list(photos.iterdir())), 400)
    Image.new("RGB", size, (LEVELS[name],) * 3).save(photos / f"{name}{ending}")
    picture = Image.new("L", mask or size)
    picture.paste(255, (50, 4, size[0] - 50, 4 + LEVELS[name]))
    picture.save(masks / f"{name}.png")
    return photos / f"{name}{ending}"


def reading(case: str, **inputs: Any) -> Graph:
    """Read the folders of a test; save photos, by their names, and masks; show names and categories."""
    given = {"photos": f"{case}/photos", "masks": f"{case}/masks", "category": "upper", "limit": 0}
    return {
        "folder": node("IGRPhotoFolder", **{**given, "save_to": f"{case}/", **inputs}),
        "categories": node("PreviewAny", source=["folder", 2]),
        "prefixes": node("PreviewAny", source=["folder", 3]),
        "save": node("SaveImage", images=["folder", 0], filename_prefix=["folder", 3]),
        "picture": node("MaskToImage", mask=["folder", 1]),
        "show": node("PreviewImage", images=["picture", 0]),
    }


def pictures(server: Server, images: list[dict[str, str]]) -> list[np.ndarray]:
    """The images that a node of a graph has saved or shows."""
    root = {"output": server.base / "output", "temp": server.base / "temp"}
    return [np.array(Image.open(root[one["type"]] / one["subfolder"] / one["filename"])) for one in images]
