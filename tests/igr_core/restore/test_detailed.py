"""Details from photos that do not show the garment, with the included bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from igr_core.detail.transfer import Transfer, transfer_details
from igr_core.detail.warping import source_photos
from igr_core.included import INCLUDED_BUNDLE
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.view import GarmentView, make_view
from igr_core.restore.background_removal import garment_alpha
from igr_core.restore.detailed import Detailing, restore_detailed
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling

EXAMPLES = Path(__file__).parents[3] / "nodes" / "examples"
SIZE = (384, 512)
STEPS = 6


@pytest.fixture(scope="module")
def restorer() -> GarmentRestorer:
    return GarmentRestorer.from_bundle(INCLUDED_BUNDLE)


def example(name: str) -> tuple[Tensor, Tensor]:
    return load_photo(EXAMPLES / f"{name}.webp"), load_mask(EXAMPLES / f"{name}_mask.png")


def view_of(restorer: GarmentRestorer, photo: Tensor, mask: Tensor) -> GarmentView:
    config = restorer.info.model
    return make_view(photo, mask, config.native_size, config.view, config.image_encoder.image_size)


def test_an_all_white_photo_leaves_no_trace(restorer: GarmentRestorer) -> None:
    photo, mask = example("full")
    white = view_of(restorer, torch.ones_like(photo), mask)
    images = [
        restore_detailed(restorer, [white], "full", Detailing(SIZE, Transfer(strength)), Sampling(STEPS)).image
        for strength in (0.0, 1.0)
    ]
    assert (images[0] - images[1]).abs().max() < 0.1
    assert (images[0] - images[1]).abs().mean() < 4e-3


@pytest.mark.parametrize("wrong", ["another person", "another colour"])
def test_the_wrong_photo_leaves_almost_no_trace(restorer: GarmentRestorer, wrong: str) -> None:
    """Positions are found in one photo, but pixels come from another: of somebody else, or of a garment that is blue
    instead of red."""
    photo, mask = example("full")
    own = view_of(restorer, photo, mask)
    other = view_of(restorer, *(example("upper") if wrong == "another person" else (photo.flip(1), mask)))
    images, (evidence,) = restorer.restore_with_evidence(own, "full", Sampling(STEPS))
    alpha = garment_alpha(images)[0]
    moved = [
        transfer_details(images[0], alpha, evidence, source_photos(view), SIZE, Transfer())[1].mean()
        for view in (own, other)
    ]
    assert moved[0] > 0.02
    assert moved[1] < 0.25 * moved[0]
