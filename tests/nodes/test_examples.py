"""The shipped example persons are drawn by the generator, from seeds that nothing trains on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.caches.drawn import HELD_OUT_START
from training.data.synthetic import make_pair, other_mask

EXAMPLES = Path(__file__).parents[2] / "nodes" / "examples"
SEEDS = {"upper": 10_001_000, "lower": 10_001_005, "full": 10_001_011, "outfit": 10_000_464}
SIZE = (576, 768)
COARSE = 0.16
"""As the demo's pairs are drawn (docs/training.md)."""


def picture(name: str, mode: str) -> np.ndarray:
    return np.asarray(Image.open(EXAMPLES / name).convert(mode), dtype=np.float32)


@pytest.mark.parametrize("name", SEEDS)
def test_examples_are_drawn_from_held_out_seeds(name: str) -> None:
    pair = make_pair(SEEDS[name], SIZE, coarse=COARSE)
    assert SEEDS[name] >= HELD_OUT_START
    assert np.abs(picture(f"{name}.webp", "RGB") - np.asarray(pair.person, dtype=np.float32)).mean() < 4  # lossy
    masks = {f"{name}_mask.png": pair.garment_mask}
    if name == "outfit":
        masks = {
            "outfit_lower_mask.png": pair.garment_mask,
            "outfit_upper_mask.png": other_mask(SEEDS[name], SIZE, coarse=COARSE),
        }
    for file, mask in masks.items():
        assert (picture(file, "L") != np.asarray(mask)).mean() < 0.001, file  # another platform may round a pixel
