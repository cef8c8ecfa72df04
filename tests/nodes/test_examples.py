"""The shipped example persons are rendered by the generator, from seeds that nothing trains on."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.rendered.renderer import require_renderer
from training.data.contract.seeds import HELD_OUT_START
from training.data.rendered.examples import OUTFIT, PHOTOS, masks_of, render_example

EXAMPLES = Path(__file__).parents[2] / "nodes" / "examples"


def test_they_come_from_held_out_seeds() -> None:
    assert min(seed for seed, _ in PHOTOS.values()) >= HELD_OUT_START
    assert {path.stem for path in EXAMPLES.glob("*.webp")} == set(PHOTOS)


def test_the_outfit_and_its_masks_are_those_of_its_seed() -> None:
    require_renderer()
    pair = render_example(OUTFIT)
    photo = np.asarray(Image.open(EXAMPLES / f"{OUTFIT}.webp").convert("RGB"), np.float32)
    assert np.abs(photo - np.asarray(pair.person, np.float32)).mean() < 4  # WebP is lossy
    masks = masks_of(OUTFIT, pair)
    assert {path.name for path in EXAMPLES.glob(f"{OUTFIT}_*.png")} == set(masks)
    for name, mask in masks.items():
        shipped = np.asarray(Image.open(EXAMPLES / name).convert("L"))
        assert (shipped != np.asarray(mask)).mean() < 0.002, name  # another platform may round a pixel
