"""Dressing records: all photos of a record dressed at once equal those dressed one by one, and share their product
shot.
"""

import numpy as np
import pytest

from tests.support.rendered import stand_in
from tests.support.rendered.renderer import require_renderer
from training.data.rendered.base.settings import RenderSettings

pytest.importorskip("numba", reason="dressing needs the extra `render`")

from training.data.contract.seeds import HELD_OUT_START
from training.data.rendered import agreement  # noqa: E402
from training.data.rendered.pairs import dress_product, dress_record, make_pair  # noqa: E402

RECORD = stand_in.make_record(5, RenderSettings(stand_in.SIZE))[0]


def test_photos_dressed_with_a_given_product_shot_equal_those_dressed_alone():
    assert RECORD is not None and len(RECORD.photos) == 3
    product = dress_product(RECORD, dress_seed=2)
    pairs = [dress_record(RECORD, number, dress_seed=2, product=product) for number in range(3)]
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


@pytest.mark.parametrize("seed", [HELD_OUT_START - 1, HELD_OUT_START])
def test_held_out_seeds_are_rendered_and_dressed_as_held_out(seed: int, monkeypatch: pytest.MonkeyPatch):
    require_renderer()
    found = []

    def made(seed, settings, defect):
        found.append(settings.held_out)
        return stand_in.make_record(5, RenderSettings(stand_in.SIZE))

    def dressed(*args, **options):
        found.append(options["held_out"])

    monkeypatch.setattr("training.data.rendered.capture.making.make_record", made)
    monkeypatch.setattr("training.data.rendered.pairs.dress_record", dressed)
    make_pair(seed, stand_in.SIZE)
    assert found == [seed >= HELD_OUT_START] * 2


def test_agreement_dresses_held_out_records_as_held_out(monkeypatch: pytest.MonkeyPatch):
    asked = []
    dress_of = agreement.dress_of
    monkeypatch.setattr(agreement, "dress_of", lambda *a, **o: asked.append(o["held_out"]) or dress_of(*a, **o))
    for seed in (HELD_OUT_START - 2, HELD_OUT_START + 1):
        record, _ = stand_in.make_record(seed, RenderSettings(stand_in.SIZE))
        assert record is not None
        agreement.difference(record, 0)
    assert asked == [False, True]
