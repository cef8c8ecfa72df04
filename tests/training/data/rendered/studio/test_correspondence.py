"""Correspondence: product pixels lead to photo pixels that show the same point of the garment."""

from dataclasses import replace

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.support.rendered.renderer import require_renderer
from tests.support.rendered.solids import sheet, sphere
from training.data.rendered.studio.scene.cameras import Camera

require_renderer()
pytest.importorskip("mitsuba_oidn", reason="rendering needs the extra `render`")

from training.data.rendered.studio.correspondence import correspond  # noqa: E402
from training.data.rendered.studio.rays.rendering import photograph  # noqa: E402

CAMERA = Camera((0.0, -3.0, 1.0), (0.0, 0.0, 1.0), 26.0, (96, 128))
TURNED = Camera((1.3, -2.8, 1.3), (0.0, 0.0, 1.0), 30.0, (96, 128), roll=1.0)


def _bent(width: float, bend: float):
    flat = sheet("garment", (0, 0, 1), width, 1.0)
    moved = flat.vertices + np.stack(
        [0 * flat.vertices[:, 0], bend * np.sin(4 * flat.vertices[:, 0]), 0 * flat.vertices[:, 0]], 1
    )
    return replace(flat, vertices=moved)


def test_the_photos_uv_agrees_where_the_map_leads():
    product, worn = [_bent(0.8, 0.0)], [sphere("skin", (0.1, -0.4, 1.1), 0.12), _bent(0.8, 0.1)]
    own, photo = photograph(product, None, CAMERA, 0, samples=4), photograph(worn, None, TURNED, 0, samples=4)
    found = correspond(own, product, photo, worn, TURNED)
    shown = np.isfinite(found[..., 0])
    assert 0.75 < shown.sum() / (own.surface == 0).sum() < 0.99
    x, y = found[shown].T.astype(int)
    apart = np.linalg.norm(photo.view.uv[y, x] - own.view.uv[shown], axis=1)
    # half a pixel's diagonal, and cloth that slants away
    assert np.median(apart) < 0.7 / photo.view.pixels_per_metre and apart.max() < 3 / photo.view.pixels_per_metre
    assert (photo.surface[y, x] == 1).all()


def test_hidden_and_turned_away_cloth_is_not_shown():
    ball = [sphere("garment", (0, 0, 1), 0.35)]
    own = photograph(ball, None, CAMERA, 0, samples=4)
    behind = Camera((0.0, 3.0, 1.0), (0.0, 0.0, 1.0), 26.0, (96, 128))
    from_behind = correspond(own, ball, photograph(ball, None, behind, 0, samples=4), ball, behind)
    seen = own.surface == 0
    assert np.isfinite(from_behind[seen]).mean() < 0.02
    itself = correspond(own, ball, own, ball, CAMERA)
    y, x = np.nonzero(seen)
    np.testing.assert_allclose(itself[seen], np.stack([x, y], axis=1) + 0.5, atol=0.01)
    assert np.isnan(itself[~seen]).all()


def test_other_garments_are_refused():
    ball = [sphere("garment", (0, 0, 1), 0.35)]
    own = photograph(ball, None, CAMERA, 0, samples=4)
    with pytest.raises(IGRError, match="have different faces"):
        correspond(own, ball, own, [sphere("garment", (0, 0, 1), 0.35, rings=20)], CAMERA)
