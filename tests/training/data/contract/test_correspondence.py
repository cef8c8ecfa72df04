"""Positions of the flat garment's cells in the photo's view: exact for drawn pairs, and transformed by views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from igr_core.model.config import ViewConfig
from igr_core.photo.view import Placement, place
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import FIELDS, DrawnPairs, draw, draw_shards
from training.data.contract.correspondence import boxed, mirrored, pixels_to_cells, to_cells
from training.data.synthetic import Pair, make_pair

SIZE = (288, 384)
SEEDS = range(6)


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [make_pair(seed, SIZE, correspondence=True) for seed in SEEDS]


def sampled(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Pixels of an image (h, w, ...) at positions (N, 2)."""
    columns, rows = np.floor(places).astype(int).T
    return picture[rows, columns]


def test_requesting_a_correspondence_changes_no_image(pairs: list[Pair]) -> None:
    plain = make_pair(0, SIZE)
    assert plain.correspondence is None
    for name in ("person", "garment_mask", "agnostic_mask", "garment", "garment_silhouette", "parsing"):
        assert getattr(plain, name).tobytes() == getattr(pairs[0], name).tobytes(), name


def test_most_of_the_garment_is_found_and_nothing_beside_it(pairs: list[Pair]) -> None:
    for pair in pairs:
        assert pair.correspondence is not None
        found = np.isfinite(pair.correspondence).all(-1)
        garment = np.asarray(pair.garment_silhouette) > 127
        assert found.shape == garment.shape
        assert found[garment].mean() > 0.5
        assert found[~garment].mean() < 0.01


def test_positions_show_the_visible_garment_in_the_same_colour(pairs: list[Pair]) -> None:
    """The photo warped by the map matches the flat garment, except for folds and light; a wrong map does not."""
    for pair in pairs:
        assert pair.correspondence is not None
        found = np.isfinite(pair.correspondence).all(-1)
        places = pair.correspondence[found]
        assert (sampled(np.asarray(pair.garment_mask), places) > 127).mean() > 0.98
        flat, photo = np.asarray(pair.garment, np.float32), np.asarray(pair.person, np.float32)
        assert np.abs(sampled(photo, places) - flat[found]).mean() < 30


def test_a_wrong_map_is_reported_by_its_colours(pairs: list[Pair]) -> None:
    """Validates the test above: shifted by a twelfth of the photo, patterned cloth matches far worse."""
    pair = pairs[0]  # with a checked pattern
    assert pair.correspondence is not None
    found = np.isfinite(pair.correspondence).all(-1)
    flat, photo = np.asarray(pair.garment, np.float32), np.asarray(pair.person, np.float32)
    right, wrong = (
        np.abs(sampled(photo, np.clip(pair.correspondence[found] + moved, 0, 287)) - flat[found]).mean()
        for moved in (0, 24)
    )
    assert wrong > 2 * right


def identity(width: int, height: int) -> np.ndarray:
    """The map (h, w, 2) of a photo that is the flat image itself."""
    return np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1).astype(np.float32)


def test_cells_of_an_untouched_photo_keep_their_positions() -> None:
    whole = place((0, 0, 48, 64), (48, 64), (24, 32), ViewConfig())
    cells = to_cells(identity(48, 64), (48, 64), whole, (4, 3))
    wanted = np.stack(np.meshgrid((np.arange(3) + 0.5) / 3, (np.arange(4) + 0.5) / 4))
    assert cells.dtype == np.float32 and np.allclose(cells, wanted, atol=0.02)


def test_a_view_shows_its_part_of_the_photo_only() -> None:
    """The right half of the photo, enlarged: cells of the left half are not visible."""
    half = Placement((24, 0, 48, 64), (0, 0, 48, 64), (48, 64), (48, 64))
    cells = to_cells(identity(48, 64), (48, 64), half, (8, 6))
    assert np.isnan(cells[:, :, :3]).all() and np.isfinite(cells[:, :, 3:]).all()
    assert np.allclose(cells[0, 0, 3:], [1 / 6, 3 / 6, 5 / 6], atol=0.03)
    assert np.allclose(cells[1, :, 3], (np.arange(8) + 0.5) / 8, atol=0.02)


def test_a_garment_of_another_shape_is_centred_on_the_canvas() -> None:
    """A square flat image on a 3:4 canvas has white above and below."""
    whole = Placement((0, 0, 48, 64), (0, 0, 48, 64), (48, 64), (48, 64))
    cells = to_cells(identity(30, 30), (30, 30), whole, (8, 6))
    assert np.isnan(cells[:, 0]).all() and np.isnan(cells[:, -1]).all()
    assert np.allclose(cells[0, 3] * 48, (np.arange(6) + 0.5) * 5, atol=1)
    assert np.allclose(cells[1, 1:7, 0] * 64, (np.arange(6) + 0.5) * 5, atol=1)


def test_shards_store_positions_in_the_models_view(tmp_path: Path) -> None:
    config = DrawConfig(size=(96, 128), photo_size=SIZE, crop_size=16, corrupt_share=0.0, correspondence=True)
    draw_shards(tmp_path, 2, 0, config, workers=1)
    pairs = DrawnPairs(tmp_path)
    told = pairs.pictures([1])["correspondence"]
    assert told.shape == (1, 2, 128, 96) and told.dtype == torch.float16
    assert np.array_equal(told[0].numpy(), draw(1, config).pictures["correspondence"], equal_nan=True)
    person, garment = (pairs.take(name, [1]).float() for name in ("person", "garment"))
    warped = grid_sample(person, told.float().nan_to_num().permute(0, 2, 3, 1), align_corners=False)
    shown = torch.isfinite(told[0]).all(0)
    assert shown.sum() > 1000 and (warped - garment)[0, :, shown].abs().mean() < 30
    cells = pixels_to_cells(told, (16, 12))
    assert cells.shape == (1, 2, 16, 12)
    rows, columns = torch.nonzero(cells[0].isfinite().all(0), as_tuple=True)
    assert torch.equal(cells[0, :, rows, columns], told[0, :, rows * 8 + 4, columns * 8 + 4].float() / 2 + 0.5)
    plain = DrawConfig(size=(96, 128), photo_size=SIZE, crop_size=16, corrupt_share=0.0)
    assert set(draw(1, plain).pictures) == set(FIELDS)


def test_mirrored_and_boxed_maps_follow_their_images() -> None:
    places = identity(6, 4)
    places[0, 0] = np.nan
    turned = mirrored(places, 6)
    assert np.isnan(turned[0, 5]).all()
    assert np.array_equal(turned[1, 2], [2.5, 1.5])  # mirrored garment on mirrored photo: in place again
    part = boxed(places, (-1, 1, 3, 6))
    assert part.shape == (5, 4, 2) and np.isnan(part[:, 0]).all() and np.isnan(part[3:]).all()
    assert np.array_equal(part[0, 1], [0.5, 1.5])
