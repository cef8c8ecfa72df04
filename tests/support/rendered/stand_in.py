"""A generator that makes tiny records quickly; worker processes import it, too."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np

from training.data.rendered.base.panels import Line, Panel
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.base.views import SUBSAMPLES, Label, View
from training.data.rendered.records.record import Photo, Record

SIZE = (24, 32)
CATEGORIES = ("upper", "lower", "full")


def make_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """A record that is a pure function of the seed; every eleventh seed is rejected, every fifth is tried twice."""
    if seed % 11 == 10:
        return None, Counter({"poke-through": 5})
    rng = np.random.default_rng([seed, 1])
    front = Panel(
        "front",
        "garment",
        "body",
        (-0.3, 0.0, 0.3, 0.6),
        (Line("hem", np.array([[-0.3, 0.6], [0.3, 0.6]], np.float32)),),
    )
    wall = Panel("wall", "wall", "wall", (-2.0, 0.0, 2.0, 3.0))
    photos = tuple(_photo(rng, settings.size, number) for number in range(1 + seed % 3))
    record = Record(
        seed,
        CATEGORIES[seed % 3],
        {"cut": "tee", "length": 0.6, "tucked": bool(seed % 2)},
        (front, wall),
        _view(rng, settings.size, product=True),
        photos,
    )
    return record, Counter({"garment hidden": 1} if seed % 5 == 0 else {})


def hanging_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """Like make_record, but notes each seed in a folder; on the node that will be lost, a worker hangs in its second
    record. The other node waits for this, so that the loss occurs halfway, however slowly workers start.
    """
    notes = Path(os.environ["STAND_IN_NOTES"])
    (notes / f"{seed}-{os.getpid()}-{time.time_ns()}").touch()
    if "STAND_IN_LOST" in os.environ:
        if len(list(notes.glob(f"*-{os.getpid()}-*"))) == 2:
            (notes / f"hangs-{os.getpid()}").touch()
            time.sleep(600)
    elif seed >= 6:
        while not list(notes.glob("hangs-*")):
            time.sleep(0.05)
    return make_record(seed, settings)


def dying_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """Like make_record, but the worker dies at seed 3 the first time."""
    mark = Path(os.environ["STAND_IN_NOTES"]) / "died"
    if seed == 3 and not mark.exists():
        mark.touch()
        os._exit(9)
    return make_record(seed, settings)


def killing_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """Like make_record, but the worker dies at seed 3 every time."""
    if seed == 3:
        os._exit(9)
    return make_record(seed, settings)


def failing_record(seed: int, settings: RenderSettings) -> tuple[Record | None, Counter[str]]:
    """Like make_record, but seed 2 and all seeds from 6 on are rejected."""
    if seed == 2 or seed >= 6:
        raise ZeroDivisionError(f"seed {seed}")
    return make_record(seed, settings)


def _photo(rng: np.random.Generator, size: tuple[int, int], number: int) -> Photo:
    width, height = size
    view = _view(rng, size, product=False)
    garment = np.zeros((height, width), bool)
    garment[height // 4 : height // 2, width // 4 : 3 * width // 4] = True
    mask = (garment * 255).astype(np.uint8)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    correspondence = np.stack([columns + 0.5, rows + 0.5], -1)
    correspondence[~garment] = np.nan
    agnostic = np.zeros((height, width), np.uint8)
    agnostic[height // 8 : 3 * height // 4, width // 8 : 7 * width // 8] = 255
    joints = {"neck": (width / 2, height / 4, 1.0), "right_wrist": (2.0, 20.0, 1.0)}
    attributes = {"pose": f"pose-{number}", "framing": "full body", "yaw": 4.5, "defect": "none"}
    return Photo(view, correspondence, np.where(garment, 4, 0).astype(np.uint8), joints, mask, agnostic, attributes)


def _view(rng: np.random.Generator, size: tuple[int, int], product: bool) -> View:
    width, height = size
    labels = np.full((height * SUBSAMPLES, width * SUBSAMPLES), 255 if product else 1, np.uint8)
    labels[
        height * SUBSAMPLES // 4 : height * SUBSAMPLES // 2, width * SUBSAMPLES // 4 : width * SUBSAMPLES * 3 // 4
    ] = 0
    middle = labels[SUBSAMPLES // 2 :: SUBSAMPLES, SUBSAMPLES // 2 :: SUBSAMPLES]
    uv = np.stack(np.meshgrid(np.linspace(-0.3, 0.3, width), np.linspace(0, 0.6, height)), -1).astype(np.float32)
    uv[middle == 255] = np.nan
    return View(
        labels,
        (Label("garment", 0), Label("wall", 1)),
        uv,
        rng.uniform(0.5, 1.0, (height, width, 3)).astype(np.float32),
        np.zeros((height, width), np.float32),
        np.zeros((height, width, 3), np.float32),
        100.0,
    )
