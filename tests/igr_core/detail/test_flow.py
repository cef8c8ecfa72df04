"""Fitting a map to positions with noise and outliers."""

import torch

from igr_core.detail.flow import resized_map, smooth_flow

SHAPE = (32, 24)


def grid() -> torch.Tensor:
    y, x = torch.meshgrid((torch.arange(32) + 0.5) / 32, (torch.arange(24) + 0.5) / 24, indexing="ij")
    return torch.stack([x, y])


def bent() -> torch.Tensor:
    """A map like that of a turned body: smaller, shifted, and curved."""
    x, y = grid()
    return torch.stack([0.2 + 0.6 * x + 0.05 * torch.sin(3 * y), 0.1 + 0.7 * y + 0.04 * torch.cos(4 * x)])


def test_a_smooth_map_is_found_through_noise_and_outliers():
    generator = torch.Generator().manual_seed(0)
    true = bent()
    noisy = true + 0.01 * torch.randn(true.shape, generator=generator)
    wild = torch.rand(SHAPE, generator=generator) < 0.15
    noisy = torch.where(wild, torch.rand(true.shape, generator=generator), noisy)
    flow = smooth_flow(noisy, torch.full(SHAPE, 0.9), 0.75)
    assert flow is not None
    error = (flow.place - true).norm(dim=0)
    assert error.median() < 0.006
    assert error.max() < 0.03
    assert flow.residual[wild].median() > 5 * flow.residual[~wild].median()


def test_cells_without_weight_do_not_bend_the_map():
    true = bent()
    broken = true.clone()
    broken[:, :, 16:] = 0.5
    weight = torch.ones(SHAPE)
    weight[:, 16:] = 0
    flow = smooth_flow(broken, weight, 0.75)
    assert flow is not None
    assert (flow.place - true)[:, :, :16].norm(dim=0).max() < 0.01


def test_stretch_is_the_areas_ratio_and_negative_in_a_fold():
    x, y = grid()
    flow = smooth_flow(torch.stack([0.5 * x, 0.8 * y]), torch.ones(SHAPE), 0.75)
    assert flow is not None
    torch.testing.assert_close(flow.stretch, torch.full(SHAPE, 0.4), atol=0.01, rtol=0)
    mirrored = smooth_flow(torch.stack([1 - x, y]), torch.ones(SHAPE), 0.75)
    assert mirrored is not None
    assert mirrored.stretch.max() < 0


def test_too_few_cells_or_a_line_give_no_map():
    weight = torch.zeros(SHAPE)
    weight[3, 3:6] = 1
    assert smooth_flow(grid(), weight, 0.75) is None
    weight[3, :] = 1
    assert smooth_flow(grid(), weight, 0.75) is None


def test_a_resized_map_keeps_its_positions():
    flow = smooth_flow(bent(), torch.ones(SHAPE), 0.75)
    assert flow is not None
    large = resized_map(flow.place, 128, 96)
    x, y = torch.meshgrid((torch.arange(96) + 0.5) / 96, (torch.arange(128) + 0.5) / 128, indexing="xy")
    true = torch.stack([0.2 + 0.6 * x + 0.05 * torch.sin(3 * y), 0.1 + 0.7 * y + 0.04 * torch.cos(4 * x)])
    assert (large - true).norm(dim=0)[4:-4, 4:-4].max() < 0.01
