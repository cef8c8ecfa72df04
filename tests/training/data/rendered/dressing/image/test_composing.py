"""Composing: cloth agrees between photo and product shot, edges are smooth, and the area outside is the background."""

from dataclasses import replace

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.support.rendered.views_by_hand import FRONT, SKIN, WALL, shirt_panels, shirt_view

pytest.importorskip("numba", reason="composing needs the extra `render`")

from training.data.rendered.dressing.dresses import draw_dress
from training.data.rendered.dressing.image.composing import compose

SIZE = (96, 128)


def test_the_same_dress_gives_the_same_bytes():
    pictures = [
        compose(shirt_view(*SIZE), shirt_panels(), draw_dress(np.random.default_rng(3), shirt_panels(), {"cut": "tee"}))
        for _ in range(2)
    ]
    assert pictures[0].dtype == np.float32 and pictures[0].shape == (128, 96, 3)
    assert pictures[0].tobytes() == pictures[1].tobytes()
    assert np.isfinite(pictures[0]).all() and pictures[0].min() >= 0


def test_a_product_shot_is_white_outside_the_garment():
    view, panels = shirt_view(*SIZE, product=True), shirt_panels()
    picture = compose(view, panels, draw_dress(np.random.default_rng(0), panels, {"cut": "tee"}))
    off = (view.labels == 255).reshape(128, 3, 96, 3).all((1, 3))
    assert (picture[off] == 1.0).all()
    assert picture[~off].std() > 0.01


def test_unlit_cloth_agrees_between_photo_and_product_shot():
    panels = shirt_panels()
    photo, product = shirt_view(*SIZE), shirt_view(*SIZE, product=True)
    product = replace(product, light=product.light * 0.7, gloss=product.gloss * 0)
    photo = replace(photo, gloss=photo.gloss * 0)
    dress = draw_dress(np.random.default_rng(5), panels, {"cut": "shirt"})
    front = (photo.labels == FRONT).reshape(128, 3, 96, 3).all((1, 3))
    front &= (product.labels == FRONT).reshape(128, 3, 96, 3).all((1, 3))
    assert front.sum() > 800
    first = compose(photo, panels, dress)[front] / photo.light[front]
    second = compose(product, panels, dress)[front] / product.light[front]
    assert np.abs(first - second).max() < 0.02


def test_edges_are_blended_by_the_fraction_of_their_subsamples():
    panels = shirt_panels()
    view = shirt_view(*SIZE)
    dress = draw_dress(np.random.default_rng(1), panels, {"cut": "tee"})
    labels = view.labels.copy()
    y, x = 20, 5
    assert (labels[3 * y - 6 : 3 * y + 9, 3 * x - 6 : 3 * x + 9] == WALL).all()
    plain = compose(view, panels, dress)
    labels[3 * y : 3 * y + 3, 3 * x] = SKIN
    labels[3 * y - 2, 3 * x + 1] = SKIN  # the centre of the pixel above
    mixed = compose(replace(view, labels=labels), panels, dress)
    above = compose(replace(view, labels=np.where(np.arange(384)[:, None] // 3 == y - 1, SKIN, labels)), panels, dress)
    expected = (6 * plain[y, x] + 3 * above[y - 1, x]) / 9
    assert np.abs(mixed[y, x] - expected).max() < 0.02


def test_the_background_is_visible_in_empty_areas():
    view, panels = shirt_view(*SIZE, product=True), shirt_panels()
    picture = compose(view, panels, draw_dress(np.random.default_rng(0), panels, {}), np.full((128, 96, 3), 0.25))
    assert (picture[0, 0] == 0.25).all()


def test_missing_panels_are_reported():
    view, panels = shirt_view(*SIZE), shirt_panels()
    dress = draw_dress(np.random.default_rng(0), panels, {})
    with pytest.raises(IGRError, match="panels"):
        compose(view, panels[:2], dress)
    with pytest.raises(IGRError, match="size"):
        compose(replace(view, labels=view.labels[:-3]), panels, dress)
