"""A summary of a record rendered on one machine: a few kilobytes to compare records from other machines with.

`python -m tests.support.rendered.reference` regenerates it after an intended change to the rendering.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.base.surfaces import KINDS
from training.data.rendered.base.views import View
from training.data.rendered.capture.making import make_record
from training.data.rendered.records.record import Record

SEED = 3
SMALL = RenderSettings(size=(96, 128), photos=2, samples=4)
FILE = Path(__file__).parents[2] / "training" / "data" / "rendered" / "capture" / "views_reference.npz"
STEP = 4
"""Width and height in pixels of the block for each stored number."""
UV_STEP = 0.0005
"""Step in metres of stored positions on cloth."""


def reduced(record: Record) -> dict[str, np.ndarray]:
    """Kinds, panels, positions on them and light, all in whole numbers, of the product shot and of the first photo."""
    found = {}
    for name, view in (("product", record.product), ("photo", record.photos[0].view)):
        for part, values in _of(view).items():
            found[f"{name}_{part}"] = values
    return found


def _of(view: View) -> dict[str, np.ndarray]:
    table = np.full((256, 2), 255, np.uint8)
    for number, label in enumerate(view.table):
        table[number] = KINDS.index(label.kind), label.panel % 256
    labels = table[view.centres[STEP // 2 :: STEP, STEP // 2 :: STEP]]  # (h, w, 2)
    uv = view.uv[STEP // 2 :: STEP, STEP // 2 :: STEP] / UV_STEP
    height, width = labels.shape[:2]
    light = view.light[: height * STEP, : width * STEP].mean(axis=-1).reshape(height, STEP, width, STEP).mean((1, 3))
    return {
        "kind": labels[..., 0],
        "panel": labels[..., 1],
        "uv": np.where(np.isfinite(uv), np.round(uv), 0).astype(np.int16),
        "light": np.round(255 * np.sqrt(light / 2).clip(0, 1)).astype(np.uint8),
    }


if __name__ == "__main__":
    made, _ = make_record(SEED, SMALL)
    assert made is not None
    np.savez_compressed(FILE, **reduced(made))
