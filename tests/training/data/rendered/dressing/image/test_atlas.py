"""Textures of panels: on a fixed lattice, with prints, stitches and buttons at the panel's positions."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="textures need the extra `render`")

from training.data.rendered.base.panels import Line, Panel
from training.data.rendered.dressing.cloth.fabrics import Fabric
from training.data.rendered.dressing.cloth.prints import Art, Placed
from training.data.rendered.dressing.grounds import FLOORS, WALLS, ground_tile
from training.data.rendered.dressing.image.atlas import FINEST, MOST_TEXELS, cloth_texture, ground_texture, pyramid
from training.data.rendered.dressing.materials import Cloth, Ground
from training.data.rendered.dressing.pixels.colours import linear_rgb
from training.data.synthetic.art.textures import solid

FABRIC = Fabric("plain", solid((200, 190, 180)))
CLOTH = Cloth(
    FABRIC, FABRIC, Fabric("plain", solid((40, 60, 120))), FABRIC, (220, 220, 220), (30, 20, 20), 1.0, (20, 20, 24)
)
PANEL = Panel("front", "garment", "body", (-0.25, 0.0, 0.25, 0.6), print_room=(-0.15, 0.1, 0.15, 0.4))
WHOLE = (-0.25, 0.0, 0.25, 0.6)


def finest(texture) -> np.ndarray:
    _, height, width = texture.levels[0]
    return texture.texels[: height * width].reshape(height, width, 3)


def at(texture, u: float, v: float) -> np.ndarray:
    return finest(texture)[int((v - texture.top) * texture.scale), int((u - texture.left) * texture.scale)]


def test_levels_are_means_of_the_level_before():
    pixels = np.random.default_rng(0).random((16, 24, 3)).astype(np.float32)
    texture = pyramid(0.0, 0.0, 100.0, pixels, 4, linear=True)
    assert texture.levels.tolist() == [[0, 16, 24], [384, 8, 12], [480, 4, 6], [504, 2, 3]]
    np.testing.assert_allclose(
        texture.texels[504:].reshape(2, 3, 3), pixels.reshape(2, 8, 3, 8, 3).mean((1, 3)), atol=1e-5
    )


def test_only_visible_parts_are_painted_on_the_same_lattice():
    whole = cloth_texture(PANEL, CLOTH, WHOLE, 300.0)
    part = cloth_texture(PANEL, CLOTH, (-0.1, 0.2, 0.05, 0.3), 300.0)
    assert part.scale == whole.scale and len(part.texels) < len(whole.texels) / 8
    left, top = (round((a - b) * whole.scale) for a, b in ((part.left, whole.left), (part.top, whole.top)))
    inner = finest(part)
    same = finest(whole)[top : top + inner.shape[0], left : left + inner.shape[1]]
    assert np.abs(same - inner).max() < 0.01


def test_resolution_follows_the_image_up_to_a_limit():
    assert cloth_texture(PANEL, CLOTH, WHOLE, 200.0).scale == pytest.approx(230.0)
    assert cloth_texture(PANEL, CLOTH, WHOLE, 2000.0).scale == FINEST
    huge = replace(PANEL, box=(-2.0, 0.0, 2.0, 4.0))
    texture = cloth_texture(huge, CLOTH, huge.box, 2000.0)
    assert texture.levels[0, 1] * texture.levels[0, 2] < 1.1 * MOST_TEXELS


def test_prints_are_at_their_positions():
    art = Art("logo", (), 0, 1.0, 0.0, False, "circle", "none", ((200, 20, 20), (0, 0, 0)), 1)
    printed = replace(CLOTH, prints=(Placed("front", (0.05, 0.25), 0.1, art),))
    texture = cloth_texture(PANEL, printed, WHOLE, 300.0)
    assert np.abs(at(texture, 0.05, 0.25) - linear_rgb((200, 20, 20))).max() < 0.05
    assert np.abs(at(texture, -0.05, 0.25) - linear_rgb((200, 190, 180))).max() < 0.05
    other = cloth_texture(replace(PANEL, name="back"), printed, WHOLE, 300.0)
    assert np.abs(at(other, 0.05, 0.25) - linear_rgb((200, 190, 180))).max() < 0.05


def test_hems_are_stitched_on_the_inner_side_and_buttons_are_sewn_on():
    hem = Line("hem", np.array([(-0.25, 0.6), (0.25, 0.6)], np.float32))
    panel = replace(PANEL, lines=(hem,), buttons=((0.0, 0.1, 0.008),))
    texture = cloth_texture(panel, CLOTH, WHOLE, 500.0)
    rows = finest(texture)[:, 50:250].mean((1, 2))
    v = texture.top + (np.arange(len(rows)) + 0.5) / texture.scale
    plain_rows = rows[(v > 0.3) & (v < 0.5)].mean()
    assert rows[(v > 0.572) & (v < 0.582)].min() < 0.93 * plain_rows
    assert at(texture, 0.003, 0.1).mean() < 0.2 < at(texture, 0.05, 0.1).mean()


def test_trims_may_be_of_another_cloth():
    texture = cloth_texture(replace(PANEL, role="trim"), CLOTH, WHOLE, 200.0)
    assert np.abs(at(texture, 0.0, 0.3) - linear_rgb((40, 60, 120))).max() < 0.05


@pytest.mark.parametrize("material", sorted({*WALLS, *FLOORS}))
def test_every_wall_and_floor_paints(material):
    colours = ((150, 140, 130), (90, 110, 90), (200, 196, 190))
    panel = Panel("wall", "wall", "wall", (-7.0, 0.0, 7.0, 5.0))
    texture = ground_texture(panel, Ground(material, colours, 1.0, 0.0, 4), (-1.0, 1.0, 1.0, 3.0), 300.0)
    assert np.isfinite(texture.texels).all() and 0.02 < texture.texels.mean() < 0.9
    tile = ground_tile(material, colours, 1.0)
    assert tile is None or 0.5 < tile.pixels.mean() < 1.6
