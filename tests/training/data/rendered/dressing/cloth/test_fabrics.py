"""Fabrics: every pattern and weave can be painted, is consistent across resolutions and boxes, and is distinct."""

import numpy as np
import pytest

pytest.importorskip("numba", reason="the noise of fabrics needs the extra `render`")

from training.data.rendered.dressing.cloth import allover
from training.data.rendered.dressing.cloth.fabrics import Fabric, paint_fabric, worn
from training.data.rendered.dressing.cloth.noise import noise
from training.data.rendered.dressing.cloth.relief import SIDE, WEAVES, weave_tile
from training.data.synthetic.art.textures import PATTERNS, Pattern, solid

COLOURS = ((40, 60, 120), (240, 230, 210), (200, 60, 60))
FLAT = ("solid", "contrast_sleeves")


def axes(left: float, top: float, count: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    place = (np.arange(count, dtype=np.float32) + 0.5) * np.float32(step)
    return (left + place)[None], (top + place)[:, None]


@pytest.mark.parametrize("kind", [*allover.PRINTS, *(kind for kind in PATTERNS if kind not in FLAT)])
def test_patterns_show_and_agree_across_resolutions(kind):
    low = allover.SIZES.get(kind, (0.08, 0.1))
    fabric = Fabric("plain", Pattern(kind, COLOURS, low[1], 0.5, 12, (0.0, 0.6)), mottle=0.0)
    coarse = paint_fabric(fabric, *axes(-0.2, 0.05, 200, 0.002), 0.002)
    fine = paint_fabric(fabric, *axes(-0.2, 0.05, 400, 0.001), 0.001)
    assert coarse.shape == (200, 200, 3) and coarse.dtype == np.float32
    assert coarse.std((0, 1)).max() > 8
    halved = fine.reshape(200, 2, 200, 2, 3).mean((1, 3))
    assert np.abs(halved - coarse).mean() < 6


@pytest.mark.parametrize("kind", ["leopard", "houndstooth", "large_floral", "tie_dye", "stripes_h", "tartan"])
def test_a_part_of_the_cloth_is_painted_as_in_the_whole(kind):
    fabric = Fabric("plain", Pattern(kind, COLOURS, 0.2, 0.5, 12, (0.0, 0.6)))
    whole = paint_fabric(fabric, *axes(-0.2, 0.0, 200, 0.002), 0.002)
    part = paint_fabric(fabric, *axes(-0.2 + 60 * 0.002, 50 * 0.002, 80, 0.002), 0.002)
    assert np.abs(whole[50:130, 60:140] - part).max() < 3


def test_a_plain_cloth_keeps_its_colour():
    colours = paint_fabric(Fabric("plain", solid((200, 40, 60))), *axes(0, 0, 300, 0.002), 0.002)
    assert np.abs(colours.mean((0, 1)) - (200, 40, 60)).max() < 3
    assert 0.3 < colours[..., 0].std() < 12


@pytest.mark.parametrize("weave", WEAVES)
def test_weaves_neither_brighten_nor_darken_and_repeat_without_seams(weave):
    tile = weave_tile(weave)
    assert tile.pixels.shape == (SIDE, SIDE, 3) and tile is weave_tile(weave)
    assert abs(float(tile.pixels.mean()) - 1) < 1e-3
    for axis in (0, 1):
        steps = np.abs(np.diff(tile.pixels, axis=axis)).mean((1 - axis, 2))
        seam = np.abs(tile.pixels.take(0, axis) - tile.pixels.take(-1, axis)).mean()
        assert seam < 1.3 * steps.max() + 0.01


def test_wear_lightens_the_middle_of_a_leg():
    fabric = Fabric("denim", Fabric("plain", solid((44, 62, 100))).pattern, fade=1.0)
    u, v = axes(-0.15, 0.2, 300, 0.001)
    colours = worn(paint_fabric(fabric, u, v, 0.001), fabric, u, v, 0.001, (0.0,), 0.0)
    assert colours[:, 140:160].mean() > colours[:, :20].mean() + 12
    assert colours.min() >= 0 and colours.max() <= 255


def test_noise_is_smooth_and_the_same_in_every_box():
    u, v = axes(0.0, 0.0, 200, 0.002)
    field = noise(3, u, v, 0.05)
    assert 0.5 < field.std() < 1.5
    assert np.abs(np.diff(field, axis=1)).max() < 0.25
    np.testing.assert_allclose(noise(3, u[:, 50:90], v[20:60], 0.05), field[20:60, 50:90], atol=1e-5)
