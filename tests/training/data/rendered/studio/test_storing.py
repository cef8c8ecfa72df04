"""Stored views: exact and approximate fields, sizes, and errors for damaged bytes."""

import numpy as np
import pytest

from igr_core.errors import IGRError
from training.data.rendered.base.views import SUBSAMPLES, Label, View
from training.data.rendered.studio.storing import (
    decode_correspondence,
    decode_view,
    encode_correspondence,
    encode_view,
)

TABLE = (Label("garment", 0), Label("garment", 1, True), Label("skin"), Label("wall", 2))


def _view(width: int = 96, height: int = 128, seed: int = 0) -> View:
    """A garment in a circle, its inside, skin and a wall, under light with a soft and a hard shadow."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: height * SUBSAMPLES, : width * SUBSAMPLES] / (height * SUBSAMPLES)
    labels = np.full(x.shape, 3, np.uint8)
    labels[np.hypot(x - 0.4, y - 0.5) < 0.3] = 0
    labels[np.hypot(x - 0.4, y - 0.3) < 0.05] = 1
    labels[np.hypot(x - 0.3, y - 0.7) < 0.06] = 2
    labels[:6] = 255
    half = slice(SUBSAMPLES // 2, None, SUBSAMPLES)
    centre, x, y = labels[half, half], x[half, half], y[half, half]
    uv = np.stack([np.sin(2 * x) + 0.1 * y * x, y * 1.2 - 0.1 * x**2], axis=-1).astype(np.float32)
    uv[centre == 3] *= 9
    uv[(centre == 2) | (centre == 255)] = np.nan
    light = (0.4 + 0.6 * x + 0.2 * (y > 0.6) + rng.normal(0, 0.004, x.shape))[..., None] * (1.1, 1.0, 0.9)
    paint = np.zeros((height, width, 3), np.float32)
    paint[centre == 2] = (0.8, 0.1, 0.0)
    gloss = np.exp(-40 * (x - 0.4) ** 2) * 0.3
    return View(labels, TABLE, uv, light.astype(np.float32), gloss.astype(np.float32), paint, 190.5)


def test_a_view_is_read_back_nearly_unchanged():
    view = _view()
    back = decode_view(encode_view(view))
    np.testing.assert_array_equal(back.labels, view.labels)
    assert back.table == view.table and back.pixels_per_metre == view.pixels_per_metre
    centre = view.labels[1::3, 1::3]
    np.testing.assert_array_equal(np.isnan(back.uv), np.isnan(view.uv))
    np.testing.assert_allclose(back.uv[centre < 2], view.uv[centre < 2], atol=1.01e-4)
    np.testing.assert_allclose(back.uv[centre == 3] * 190.5, view.uv[centre == 3] * 190.5, atol=0.06)
    display = np.sqrt(back.light / view.light.max()) - np.sqrt(view.light / view.light.max())
    assert np.abs(display).max() <= 0.51 / 255
    assert np.abs(back.gloss - view.gloss).max() < 0.03 and np.abs(back.paint - view.paint).mean() < 0.02
    for name in ("labels", "uv", "light", "gloss", "paint"):
        assert getattr(back, name).dtype == getattr(view, name).dtype
        assert getattr(back, name).shape == getattr(view, name).shape


def test_the_same_view_gives_the_same_bytes_and_few_of_them():
    view = _view(384, 512)
    data = encode_view(view)
    assert data == encode_view(view)
    assert len(data) < 300_000


def test_empty_views_are_stored_too():
    view = _view()
    empty = View(
        np.full_like(view.labels, 255),
        (),
        np.full_like(view.uv, np.nan),
        view.light * 0,
        view.gloss * 0,
        view.paint,
        1.0,
    )
    back = decode_view(encode_view(empty))
    assert np.isnan(back.uv).all() and back.light.max() < 1e-5 and (back.labels == 255).all()


def test_correspondences_are_read_back():
    y, x = np.mgrid[:128, :96].astype(np.float32)
    flow = np.stack([x * 1.1 + 3 + np.sin(y / 9), y * 0.9 + 0.3], axis=-1)
    flow[(np.hypot(x - 48, y - 64) > 40) | (x > 70)] = np.nan
    data = encode_correspondence(flow)
    back = decode_correspondence(data)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(flow))
    np.testing.assert_allclose(back, flow, atol=1 / 63)
    assert len(data) < 12_000
    assert np.isnan(decode_correspondence(encode_correspondence(flow * np.nan))).all()
    with pytest.raises(IGRError, match="2048"):
        encode_correspondence(flow + 5000)


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-30], lambda data: b"x" + data, lambda data: data[:40], lambda _: b""]
)
def test_damaged_bytes_are_reported(spoil):
    with pytest.raises(IGRError, match="copy the shard again"):
        decode_view(spoil(encode_view(_view())))
    with pytest.raises(IGRError, match="copy the shard again"):
        decode_correspondence(spoil(encode_correspondence(np.random.default_rng(0).uniform(0, 99, (40, 30, 2)))))
