"""The included example persons are rendered by the generator, from seeds that are not used for training."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.model.config import CATEGORIES
from tests.support.rendered.renderer import require_renderer
from training.data.contract.seeds import HELD_OUT_START
from training.data.rendered.examples import OUTFIT, PHOTOS, SIZE, masks_of, render_example

NODES = Path(__file__).parents[2] / "nodes"
EXAMPLES = NODES / "examples"
GARMENTS: dict[str, tuple[str, str, str]] = runpy.run_path(str(NODES / "photos" / "shipped.py"))["GARMENTS"]
"""Photo, mask and category of each option of IGR Example Person."""


def test_their_seeds_are_held_out() -> None:
    assert min(seed for seed, _ in PHOTOS.values()) >= HELD_OUT_START
    assert {path.stem for path in EXAMPLES.glob("*.webp")} == set(PHOTOS)


@pytest.mark.parametrize("option", GARMENTS)
def test_a_mask_covers_a_part_of_its_photo(option: str) -> None:
    photo, mask, category = GARMENTS[option]
    with Image.open(EXAMPLES / photo) as person, Image.open(EXAMPLES / mask) as garment:
        assert person.size == garment.size == SIZE and category in CATEGORIES
        assert 0.02 < (np.asarray(garment.convert("L")) > 127).mean() < 0.7


@pytest.mark.parametrize("example", PHOTOS)
def test_a_photo_and_its_masks_are_those_of_its_seed(example: str) -> None:
    require_renderer()
    pair = render_example(example)
    photo = np.asarray(Image.open(EXAMPLES / f"{example}.webp").convert("RGB"), np.float32)
    assert np.abs(photo - np.asarray(pair.person, np.float32)).mean() < 4  # WebP is lossy
    masks = masks_of(example, pair)
    assert len(masks) == (2 if example == OUTFIT else 1)
    for name, mask in masks.items():
        shipped = np.asarray(Image.open(EXAMPLES / name).convert("L"))
        assert (shipped != np.asarray(mask)).mean() < 0.001, name  # another platform may round a pixel
