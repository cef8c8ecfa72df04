"""Flood fill by dilation."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from igr_core.photo.flood_fill import COARSE_SIDE, border, flood, pool_any, spread


def noise(height: int, width: int, share: float, seed: int = 0) -> torch.Tensor:
    """Two random regions (2, 1, H, W)."""
    return torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(seed)) < share


@pytest.mark.parametrize(("height", "width"), [(40, 60), (2 * COARSE_SIDE + 7, 90)])
@pytest.mark.parametrize("share", [0.55, 0.65, 0.9])
def test_the_fill_is_scipys(height: int, width: int, share: float) -> None:
    region = noise(height, width, share)
    filled = flood(border(region), region)
    for one, from_border, among in zip(filled, border(region), region, strict=True):
        expected = ndimage.binary_propagation((from_border & among)[0].numpy(), mask=among[0].numpy())
        assert np.array_equal(one[0].numpy(), expected)


def test_a_corner_is_no_way_through() -> None:
    region = torch.eye(4, dtype=torch.bool)[None, None]
    seed = torch.zeros_like(region)
    seed[..., 0, 0] = True
    assert torch.equal(spread(seed, region), seed)


def test_a_long_winding_way_is_followed_to_its_end() -> None:
    region = torch.ones(1, 1, 33, 33, dtype=torch.bool)
    region[..., 1::4, :-1] = False
    region[..., 3::4, 1:] = False
    seed = torch.zeros_like(region)
    seed[..., 0, 0] = True
    assert torch.equal(spread(seed, region), region)


def test_cells_are_true_where_any_pixel_is() -> None:
    mask = torch.zeros(1, 1, 5, 5, dtype=torch.bool)
    mask[..., 4, 0] = True
    assert pool_any(mask, 2)[0, 0].tolist() == [[False] * 3, [False] * 3, [True, False, False]]
