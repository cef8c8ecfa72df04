"""Accuracy of rendered pairs: a photo warped by its correspondence shows the product shot's cloth."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.rendered.renderer import require_renderer

require_renderer()
pytest.importorskip("mitsuba_oidn", reason="rendering needs the extra `render`")

from training.data.rendered.agreement import difference  # noqa: E402
from training.data.rendered.base.settings import RenderSettings  # noqa: E402
from training.data.rendered.capture.making import make_record  # noqa: E402
from training.data.rendered.records.record import Record  # noqa: E402

SEEDS = (3, 0)
DRESSES = range(3)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    settings = RenderSettings(size=(120, 160), photos=1, samples=4)
    made = [make_record(seed, settings)[0] for seed in SEEDS]
    return [record for record in made if record is not None]


def test_photos_without_light_agree_with_their_product_shots(records):
    found = [difference(record, 0, dress_seed) for record in records for dress_seed in DRESSES]
    assert len(found) == len(SEEDS) * len(DRESSES)
    assert min(len(one.levels) for one in found) > 1000
    # at this resolution, fine patterns are blurred in one of the two images
    assert np.median([np.median(one.levels) for one in found]) <= 3
    assert max(np.median(one.levels) for one in found) <= 12


def test_a_correspondence_that_is_off_is_reported(records):
    def moved(record: Record) -> Record:
        photo = record.photos[0]
        return replace(record, photos=(replace(photo, correspondence=photo.correspondence + np.float32(4)),))

    right = [difference(record, 0, dress_seed).levels.mean() for record in records for dress_seed in DRESSES]
    wrong = [difference(moved(record), 0, dress_seed).levels.mean() for record in records for dress_seed in DRESSES]
    assert np.mean(wrong) > 2 * np.mean(right)
