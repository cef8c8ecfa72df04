"""The numbers in docs/rendered.md match the code."""

import pytest

pytest.importorskip("numba", reason="rendering needs the extra `render`")

from tests.support.pages import ROOT
from training.data.contract.seeds import HELD_OUT_START
from training.data.rendered.base.views import SUBSAMPLES
from training.data.rendered.bench import STAGES
from training.data.rendered.capture.making import CATEGORY_SHARES, MAX_PHOTOS_TRIED
from training.data.rendered.dressing.cloth.families import FAMILIES
from training.data.rendered.generating.defaults import HELD_OUT_PAIRS
from training.data.rendered.generating.generate import MAX_RUNS
from training.data.rendered.generating.pools import MAX_DEATHS
from training.data.rendered.people.hair import STYLES
from training.data.rendered.people.poses import HELD_OUT_POSES, TRAINING_POSES
from training.data.rendered.studio.framing import LENSES, TURN
from training.data.rendered.studio.guards import Limits
from training.data.synthetic.art.textures import PATTERNS

PAGE = (ROOT / "docs" / "rendered.md").read_text(encoding="utf-8")
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WEAVES = {weave for family in FAMILIES.values() for weave in family.weaves}
MORE_PATTERNS = {pattern for family in FAMILIES.values() for pattern in family.patterns} - set(PATTERNS)
UPPER, LOWER, FULL = (round(100 * share) for share in CATEGORY_SHARES)


@pytest.mark.parametrize(
    "said",
    [
        f"{UPPER}% upper, {LOWER}% lower, {FULL}% full",
        f"{len(WEAVES)} fabrics",
        f"one of the drawn pairs' patterns or {len(MORE_PATTERNS)} more",
        f"{len(TRAINING_POSES)} poses and {len(HELD_OUT_POSES)} more for the held-out set",
        f"{WORDS[len(STYLES)]} hairstyles",
        f"{LENSES[0]:.0f} to {LENSES[1]:.0f} mm lenses, up to {TURN:.0f} degrees to either side",
        f"{WORDS[SUBSAMPLES**2]} subsamples per pixel",
        f"fails in {WORDS[MAX_RUNS]} runs, or whose worker dies {WORDS[MAX_DEATHS]} times",
        f"more than {100 * Limits().most_crossing:.0f}% of the garment's pixels",
        f"After {WORDS[MAX_PHOTOS_TRIED]} failed attempts at a photo",
        f"renders {HELD_OUT_PAIRS} garments, starting at seed {HELD_OUT_START:,}",
    ],
)
def test_the_page_states_the_numbers_of_the_code(said: str) -> None:
    assert said in " ".join(PAGE.split())


def test_the_table_of_times_has_every_stage_in_order() -> None:
    table = PAGE.split("stage        CPU s / garment")[1].split("CPU s per new photo")[0]
    assert [line.split()[0] for line in table.splitlines()[1:-1]][: len(STAGES)] == list(STAGES)
