"""Dressing records: all photos of a record at once are those dressed one by one, and share their product shot."""

import numpy as np
import pytest

from tests.support import stand_in
from training.data.rendered.settings import RenderSettings

pytest.importorskip("numba", reason="dressing needs the extra `render`")

from training.data.rendered.pairs import dress_all, dress_record  # noqa: E402

RECORD = stand_in.make_record(5, RenderSettings(stand_in.SIZE))[0]


def test_all_photos_at_once_are_those_dressed_one_by_one():
    assert RECORD is not None and len(RECORD.photos) == 3
    pairs = dress_all(RECORD, dress_seed=2)
    assert len(pairs) == 3 and len({id(pair.garment) for pair in pairs}) == 1
    for number, pair in enumerate(pairs):
        alone = dress_record(RECORD, number, dress_seed=2)
        for name in ("person", "garment", "garment_mask", "garment_silhouette"):
            assert getattr(pair, name).tobytes() == getattr(alone, name).tobytes(), name
        np.testing.assert_array_equal(pair.correspondence, alone.correspondence)
        assert pair.attributes == alone.attributes


def test_another_dress_seed_gives_other_clothes_on_the_same_geometry():
    assert RECORD is not None
    first, second = (dress_record(RECORD, 0, dress_seed=seed) for seed in (0, 1))
    assert first.garment.tobytes() != second.garment.tobytes()
    assert first.garment_silhouette.tobytes() == second.garment_silhouette.tobytes()
