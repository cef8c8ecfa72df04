"""A garment's panels are flat, whole and nearly free of stretch, and its shape fits any body."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs numba (the extra render)")

from scipy.spatial import cKDTree

from training.data.rendered.garments.base.garment import Garment
from training.data.rendered.garments.base.meshes import boundary_loops, largest_part
from training.data.rendered.garments.cloth.fitting import fit, pleats_of
from training.data.rendered.garments.lots import draw_cut
from training.data.rendered.garments.patterns.fields import height_of
from training.data.rendered.garments.tailoring import tailor, template_figure

SOME_KINDS = ["tee", "hoodie", "shirt", "jeans", "pleated_skirt", "a_line_dress", "jumpsuit"]


@cache
def garment(kind: str) -> Garment:
    cut = draw_cut(np.random.default_rng(0), kind)
    return tailor(replace(cut, sleeve="long", sleeve_length=1.0, cuff=0.06) if kind == "shirt" else cut)


@pytest.mark.parametrize("kind", SOME_KINDS)
def test_panels_lie_flat_without_much_stretch(kind):
    made = garment(kind)
    figure = template_figure(made.cut.sex)
    place = made.refine @ fit(made, figure, figure)
    body = np.isin(made.panel, [i for i, panel in enumerate(made.panels) if panel.name in ("front", "back")])
    corners, flat = place[made.fine_faces[body]], made.uv[body]
    real = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    drawn = np.linalg.norm(flat - np.roll(flat, -1, axis=1), axis=2)
    ratio = drawn[real > 1e-3] / real[real > 1e-3]
    assert 0.97 < np.median(ratio) < 1.03
    assert np.percentile(ratio, 5) > 0.8
    assert np.percentile(ratio, 95) < 1.2


@pytest.mark.parametrize("kind", SOME_KINDS)
def test_every_face_has_a_panel_and_no_triangle_is_turned_over(kind):
    made = garment(kind)
    assert made.panel.min() >= 0
    assert made.panel.max() < len(made.panels)
    for number in np.unique(made.panel):
        uv = made.uv[made.panel == number].astype(float)
        a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
        turned = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        assert (turned < 1e-8).mean() > 0.98, made.panels[number].name


def test_a_tee_has_four_openings_and_room_for_a_print():
    made = garment("tee")
    assert len(boundary_loops(made.fine_faces)) == 4
    front = next(panel for panel in made.panels if panel.name == "front")
    assert front.print_room is not None
    assert {"hem", "armhole", "seam"} <= {line.role for line in front.lines}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("hoodie", "hood"), ("hoodie", "pocket"), ("shirt", "collar"), ("shirt", "placket"),
     ("hoodie", "hem_band"), ("jeans", "waistband"), ("shirt", "cuff_left")],
)  # fmt: skip
def test_each_kind_has_the_panels_that_define_it(kind, name):
    assert any(panel.name.startswith(name) for panel in garment(kind).panels)


def test_a_garment_fits_a_larger_body():
    made = garment("tee")
    female, male = template_figure("female"), template_figure("male")
    template = template_figure(made.cut.sex)
    small, large = fit(made, female, template), fit(made, male, template)
    assert np.ptp(large[:, 0]) > np.ptp(small[:, 0])
    assert np.isfinite(large).all()


@pytest.mark.parametrize("length", [0.4, 0.55, 0.66, 1.0])
def test_a_hem_band_is_the_lowest_part_at_any_length_and_keeps_its_width(length):
    cut = replace(draw_cut(np.random.default_rng(0), "hoodie", sex="female"), front="closed", length=length)
    made = tailor(replace(cut, hem_band=0.06, ease=0.05, fit="oversized"))
    figure = template_figure("female")
    place = made.refine @ fit(made, figure, figure)
    number = next(i for i, panel in enumerate(made.panels) if panel.name == "hem_band")
    band = place[made.fine_faces[made.panel == number]]
    body = place[made.fine_faces[made.panel < number]]
    assert 0.045 < np.ptp(band[..., 2]) < 0.075
    assert band[..., 2].min() == pytest.approx(place[:, 2].min(), abs=1e-3)
    assert body[..., 2].min() > band[..., 2].min() + 0.04
    low = band[band[..., 2] < band[..., 2].min() + 0.02]
    above = body[np.abs(body[..., 2] - band[..., 2].max() - 0.06) < 0.02]
    assert np.ptp(low[:, 0]) < np.ptp(above[:, 0])


def test_pleats_begin_right_below_the_waistband_and_lie_outside_the_body():
    made = garment("pleated_skirt")
    figure = template_figure("female")
    place = fit(made, figure, figure)
    band = height_of(made.cut.waist, figure) - made.cut.waistband
    pleated = place[pleats_of(made) != 0]
    assert pleated[:, 2].max() > band - 0.05
    hips = pleated[pleated[:, 2] > figure.crotch + 0.02]
    distance, nearest = cKDTree(figure.points).query(hips)
    height = ((hips - figure.points[nearest]) * figure.normals[nearest]).sum(axis=1)
    assert height.min() > -0.002


def test_thin_straps_hold_a_top():
    rng = np.random.default_rng(0)
    tank = draw_cut(rng, "tank", sex="female")
    cut = replace(tank, neckline="straps", neck_width=0.08, neck_depth=0.03, neck_band=0.0, drop=-0.012, ease=0.005)
    garment = tailor(cut)
    figure = template_figure("female")
    place = fit(garment, figure, figure)
    high = place[place[:, 2] > figure.shoulder[0, 2]]
    assert len(high) > 10
    np.testing.assert_allclose(np.abs(high[:, 0]), 0.08, atol=0.012)
    assert largest_part(garment.faces, len(place)).all()
