"""Dresses: distributed as in a shop, with all skin tones, and without held-out patterns or words in training."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.support.rendered.views_by_hand import shirt_panels

pytest.importorskip("numba", reason="dressing needs the extra `render`")

from training.data.rendered.base.panels import Line
from training.data.rendered.dressing.cloth.allover import PRINTS
from training.data.rendered.dressing.cloth.families import FAMILIES, HELD_OUT_PATTERNS, PERIODS, family_of
from training.data.rendered.dressing.cloth.placing import MOST_OF_CHEST, narrowest
from training.data.rendered.dressing.cloth.prints import HELD_OUT_WORDS, WORDS
from training.data.rendered.dressing.cloth.relief import WEAVES
from training.data.rendered.dressing.dresses import draw_dress
from training.data.rendered.dressing.grounds import FLOORS, WALLS
from training.data.rendered.dressing.skin import tone_at
from training.data.synthetic.art.textures import PATTERNS

PANELS = shirt_panels()


def dresses(cut: str, count: int = 150, held_out: bool = False) -> list:
    return [draw_dress(np.random.default_rng([s, 5]), PANELS, {"cut": cut}, held_out) for s in range(count)]


def test_the_same_generator_draws_the_same_dress():
    assert dresses("tee", 5) == dresses("tee", 5)


@pytest.mark.parametrize(("cut", "family"), [
    ("tee", "tee"), ("shirt", "shirt"), ("shirt_dress", "dress"), ("sweater", "knit"), ("jeans", "jeans"),
    ("a_line_skirt", "skirt"), ("shorts", "shorts"), ("leggings", "leggings"), ("jumpsuit", "dress"),
    ("long_sleeve", "tee"), ("crop_top", "tee"), ("tank", "tee"), ("cardigan", "knit"), ("hoodie", "hoodie"),
])  # fmt: skip
def test_cuts_find_their_family(cut, family):
    assert family_of(cut) == family


def test_families_only_name_existing_weaves_and_patterns():
    for family in FAMILIES.values():
        assert set(family.weaves) <= set(WEAVES) and sum(family.weaves.values()) == pytest.approx(1)
        for kind in family.patterns:
            assert kind in PRINTS or kind in PATTERNS
            assert kind in PRINTS or kind in PERIODS or kind in ("gradient", "blocks", "chest_band", "contrast_sleeves")


def test_tops_are_mostly_plain_and_often_printed():
    drawn = dresses("tee")
    plain = [dress for dress in drawn if dress.garment.fabric.pattern.kind == "solid"]
    assert 0.5 < len(plain) / len(drawn) < 0.8
    assert 0.4 < sum(bool(dress.garment.prints) for dress in plain) / len(plain) < 0.9
    assert all(dress.garment.fabric.weave == "denim" for dress in dresses("jeans", 20))


def test_prints_stay_within_their_area():
    for dress in dresses("tee"):
        for placed in dress.garment.prints:
            left, _, right, _ = next(p.print_room for p in PANELS if p.name == placed.panel and p.kind == "garment")
            assert left - 1e-6 <= placed.centre[0] - placed.width / 2
            assert placed.centre[0] + placed.width / 2 <= right + 1e-6


def test_a_print_is_narrower_than_the_chest_between_the_armholes():
    front = next(panel for panel in PANELS if panel.print_room is not None and panel.role == "body")
    sides = [
        Line(role, np.array([(sign * u, v) for u, v in points], np.float32))
        for sign in (-1, 1)
        for role, points in (("armhole", [(0.16, 0.0), (0.13, 0.2), (0.2, 0.3)]), ("seam", [(0.2, 0.3), (0.26, 0.68)]))
    ]
    slim = replace(front, lines=(*front.lines, *sides))
    assert narrowest(slim, 0.16, 0.5) == pytest.approx(0.13, abs=1e-3)
    assert narrowest(slim, 0.4, 0.68) == pytest.approx(0.2158, abs=2e-3)
    widths = []
    for panels in (PANELS, [slim if panel is front else panel for panel in PANELS]):
        drawn = [draw_dress(np.random.default_rng([s, 5]), panels, {"cut": "tee"}) for s in range(150)]
        widths.append(
            max(placed.width for dress in drawn for placed in dress.garment.prints if placed.panel == "front")
        )
    assert widths[0] > 0.3
    assert 0.15 < widths[1] <= 2 * MOST_OF_CHEST * 0.13 + 1e-3


def test_skin_tones_are_spread_evenly():
    tones = [np.mean(dress.skin.tone) for dress in dresses("tee", 300)]
    steps = [np.mean(tone_at(place)) for place in np.linspace(0, 1, 6)]
    counts = np.histogram(tones, bins=sorted(steps))[0]
    assert counts.min() > 0.6 * 300 / 5 * 0.8


def test_walls_and_floors_are_those_that_can_be_painted():
    drawn = dresses("tee")
    walls, floors = Counter(d.wall.material for d in drawn), Counter(d.floor.material for d in drawn)
    assert set(walls) <= {*WALLS, "paper"} and len(walls) >= 6
    assert set(floors) <= set(FLOORS) and len(floors) >= 4
    without_floor = [panel for panel in PANELS if panel.kind != "floor"]
    sweep = [draw_dress(np.random.default_rng(s), without_floor, {}) for s in range(30)]
    assert {dress.wall.material for dress in sweep} <= {"plain", "gradient", "paper"}


def test_training_and_held_out_share_neither_words_nor_reserved_patterns():
    for held_out, allowed in ((False, WORDS), (True, HELD_OUT_WORDS)):
        for cut in ("tee", "dress", "sweater"):
            for dress in dresses(cut, 80, held_out):
                pattern = dress.garment.fabric.pattern
                assert pattern.seed % 2 == held_out
                assert held_out == (pattern.kind in HELD_OUT_PATTERNS) or pattern.kind == "solid"
                for placed in dress.garment.prints:
                    words = set(placed.art.lines) if placed.art.form not in ("logo", "picture", "number") else set()
                    other = HELD_OUT_WORDS if not held_out else WORDS
                    assert not words & set(other)
                    assert not held_out or words <= set(allowed)


def test_prints_on_trouser_legs_are_rare_and_small():
    leg = next(panel for panel in PANELS if panel.role == "leg")
    own = [replace(leg, name="front", kind="garment")]
    drawn = [draw_dress(np.random.default_rng([s, 8]), own, {"cut": "shorts"}) for s in range(300)]
    prints = [placed for dress in drawn for placed in dress.garment.prints]
    assert len(prints) < 12 and all(placed.width <= 0.085 for placed in prints)


def test_most_walls_are_neutral_and_pale():
    walls = [dress.wall for dress in dresses("tee", 300)]
    pale = [min(wall.colours[0]) > 195 and max(wall.colours[0]) - min(wall.colours[0]) < 8 for wall in walls]
    assert 0.4 < np.mean(pale) < 0.75


def test_drawn_pairs_have_none_of_the_reserved_patterns():
    assert set(HELD_OUT_PATTERNS) <= set(PRINTS) and not set(HELD_OUT_PATTERNS) & set(PATTERNS)
