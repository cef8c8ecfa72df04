"""Positions of OpenPose's 25 joints on a posed body."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from .body import TEMPLATE_SHAPES, Body, make_body, skin

_BONES = {
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist", "hip": "upperleg01", "knee": "lowerleg01",
    "ankle": "foot",
}  # fmt: skip
"""Joints at the head of a bone."""


def joints_of(body: Body, transforms: np.ndarray) -> dict[str, np.ndarray]:
    """World positions (3,) in metres, keyed by the names in JOINTS_25, for a body moved by bones (J, 3, 4)."""
    found: dict[str, np.ndarray] = {}
    for side, letter in (("left", "L"), ("right", "R")):
        for joint, bone in _BONES.items():
            number = body.index(f"{bone}.{letter}")
            found[f"{side}_{joint}"] = transforms[number] @ np.append(body.heads[number], 1.0)
    found["neck"] = (found["left_shoulder"] + found["right_shoulder"]) / 2
    found["mid_hip"] = (found["left_hip"] + found["right_hip"]) / 2
    for joint, numbers in _marks().items():
        found[joint] = skin(body.vertices[numbers], body.model.weights[numbers], transforms).mean(0)
    return found


@lru_cache(maxsize=1)
def _marks() -> Mapping[str, np.ndarray]:
    """Indices of the vertices whose mean is a joint without a bone of its own."""
    body = make_body(TEMPLATE_SHAPES["female"])
    model, places = body.model, body.vertices
    skinned = np.arange(len(places)) < model.ranges["body"].stop
    head = skinned & (model.weights[:, body.index("head")] > 0.5)
    found = {"nose": _first(places[:, 1] + np.abs(places[:, 0]), head)}
    for side, letter, sign in (("left", "L", 1), ("right", "R", -1)):
        own = sign * places[:, 0] > 0
        eyes = own & (np.arange(len(places)) >= model.ranges["eyes"].start)
        eyes &= np.arange(len(places)) < model.ranges["eyes"].stop
        toes = skinned & (model.weights[:, body.index(f"toe1-1.{letter}")] > 0.9)
        foot = skinned & (model.weights[:, body.index(f"foot.{letter}")] > 0.5) & (places[:, 2] < 0.05)
        found[f"{side}_eye"] = _first(places[:, 1], eyes)
        found[f"{side}_ear"] = np.flatnonzero(skinned & own & (model.paint["ears"] > 0.5))
        found[f"{side}_big_toe"] = _first(places[:, 1] + 0.5 * sign * places[:, 0], toes)
        found[f"{side}_small_toe"] = _first(places[:, 1] * 0.6 - sign * places[:, 0], toes)
        found[f"{side}_heel"] = _first(-places[:, 1], foot)
    return found


def _first(order: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(1,) index of the selected vertex (V,) that is first in an order (V,)."""
    numbers = np.flatnonzero(chosen)
    return numbers[[int(np.argmin(order[numbers]))]]
