"""Flood fill."""

import pytest
import torch
import torch.nn.functional as F

from igr_core.photo.flood_fill import border, flood, pool_any


def noise(height: int, width: int, share: float, seed: int = 0) -> torch.Tensor:
    """Two random regions (2, 1, H, W)."""
    return torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(seed)) < share


@pytest.mark.parametrize("share", [0.55, 0.65, 0.9])
def test_the_fill_is_that_of_growing_pixel_by_pixel(share: float) -> None:
    region = noise(40, 60, share)
    expected = border(region) & region
    for _ in range(region[0].numel()):
        across, down = (
            F.max_pool2d(expected.float(), (1, 3), 1, (0, 1)),
            F.max_pool2d(expected.float(), (3, 1), 1, (1, 0)),
        )
        expected, before = (across + down > 0) & region, expected
        if torch.equal(expected, before):
            break
    assert torch.equal(flood(border(region), region), expected)


def test_seeds_outside_the_region_reach_nothing() -> None:
    region = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    region[..., 1, 1] = True
    assert not flood(border(region), region).any()


def test_the_fill_does_not_pass_through_corners() -> None:
    region = torch.eye(4, dtype=torch.bool)[None, None]
    seed = torch.zeros_like(region)
    seed[..., 0, 0] = True
    assert torch.equal(flood(seed, region), seed)


def test_a_long_winding_path_is_followed_to_its_end() -> None:
    region = torch.ones(1, 1, 33, 33, dtype=torch.bool)
    region[..., 1::4, :-1] = False
    region[..., 3::4, 1:] = False
    seed = torch.zeros_like(region)
    seed[..., 0, 0] = True
    assert torch.equal(flood(seed, region), region)


def test_cells_are_true_where_any_pixel_is() -> None:
    mask = torch.zeros(1, 1, 5, 5, dtype=torch.bool)
    mask[..., 4, 0] = True
    assert pool_any(mask, 2)[0, 0].tolist() == [[False] * 3, [False] * 3, [True, False, False]]
