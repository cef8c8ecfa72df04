"""Streams of random numbers: no two are the same, and numbers from different streams are independent."""

from collections import Counter, defaultdict

import pytest

from tests.support.rendered.renderer import require_renderer
from training.data.rendered.base import streams

pytest.importorskip("numba", reason="dressing needs the extra `render`")
require_renderer()

from training.data.rendered.capture.making import outfit_of  # noqa: E402
from training.data.rendered.dressing.cloth.families import FAMILIES, family_of  # noqa: E402
from training.data.rendered.pairs import draw_cloth  # noqa: E402

SEEDS = 2000


def test_every_stream_has_a_unique_nonzero_tag() -> None:
    tags = [value for name, value in vars(streams).items() if name.isupper()]
    assert len(tags) > 4 and len(set(tags)) == len(tags) and 0 not in tags


@pytest.fixture(scope="module")
def cuts() -> list[str]:
    return [outfit_of(seed)[1].cut.kind for seed in range(SEEDS)]


@pytest.mark.parametrize("dress_seed", [0, 1, 2])
def test_weaves_do_not_depend_on_what_the_seed_drew_before(cuts: list[str], dress_seed: int) -> None:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for seed, cut in enumerate(cuts):
        found[cut][draw_cloth(seed, dress_seed, [], {"cut": cut}).fabric.weave] += 1
    assert len(found) > 20
    for cut, counts in found.items():
        garments = counts.total()
        for weave, share in FAMILIES[family_of(cut)].weaves.items():
            deviation = (garments * share * (1 - share)) ** 0.5
            # about 300 shares are compared, so a difference of four deviations and a garment is not due to chance
            assert abs(counts[weave] - garments * share) <= 4 * deviation + 1, (cut, weave, counts)
