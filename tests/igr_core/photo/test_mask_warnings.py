"""Warnings about masks before any model runs, and masks without warnings."""

from pathlib import Path

import numpy as np
import pytest
import torch

from igr_core.model.config import CATEGORIES, ViewConfig
from igr_core.photo.images import load_mask
from igr_core.photo.mask_warnings import mask_warnings, measure_mask
from igr_core.photo.masks import feather_mask
from igr_core.photo.view import make_view
from training.data.synthetic import make_pair

EXAMPLES = Path(__file__).parents[3] / "nodes" / "examples"
GARMENT = (100, 100, 200, 250)


def painted(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (300, 400)) -> torch.Tensor:
    """A mask (1, 1, h, w) that is 1 in the boxes (left, top, right, bottom)."""
    mask = torch.zeros(1, 1, size[1], size[0])
    for left, top, right, bottom in boxes:
        mask[..., top:bottom, left:right] = 1
    return mask


def test_facts_are_those_of_the_mask():
    facts = measure_mask(painted(GARMENT, (240, 100, 270, 150)))
    assert facts.size == (300, 400) and facts.box == (100, 100, 270, 250)
    assert facts.share == pytest.approx(16500 / 120000) and facts.edges == ()
    assert facts.pieces == pytest.approx((15000 / 16500, 1500 / 16500)) and facts.large_pieces == 2
    assert facts.widened == 1
    assert measure_mask(painted(GARMENT)).slenderness == pytest.approx(100 / 150)


def test_gaps_in_a_row_do_not_make_a_garment_narrow():
    legs = measure_mask(painted((100, 100, 130, 250), (170, 100, 200, 250)))
    assert legs.slenderness == pytest.approx(100 / 150)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (painted((0, 0, 300, 400)), ["covers the whole photo", "paint only the garment"]),
        (painted((140, 180, 160, 210)), ["covers 0.5% of the photo", "crop the photo"]),
        (painted((150, 200, 151, 201)), ["covers less than 0.1% of the photo"]),
        (painted((10, 10, 290, 390)), ["covers 88.7% of the photo", "invert it"]),
        (
            painted((0, 250, 150, 400)),
            ["touches the bottom and left edges of the photo", "use a photo that shows the whole"],
        ),
        (painted((100, 0, 200, 150)), ["touches the top edge of the photo"]),
        (painted((0, 0, 300, 150)), ["touches the top, left and right edges of the photo"]),
        (painted(GARMENT, (220, 100, 260, 250)), ["has 2 separate pieces", "erase those"]),
        (painted(GARMENT, (280, 380, 283, 383)), ["specks far from the garment", "keep only the largest piece"]),
        (painted(GARMENT) / 2 + painted((100, 100, 200, 175)) / 2, ["even grey over 4", "label map", "garment white"]),
        (painted((140, 50, 165, 350)), ["narrow for its height", "a photo taken from the front"]),
    ],
)
def test_each_fault_gets_one_sentence_with_the_remedy(mask, words):
    (sentence,) = mask_warnings(mask)
    assert sentence.startswith("The mask ") and sentence.endswith(".") and "{" not in sentence
    for word in words:
        assert word in sentence


def test_a_good_mask_gets_none():
    assert mask_warnings(painted(GARMENT)) == ()
    assert mask_warnings(painted(GARMENT, (202, 240, 204, 242))) == ()  # a nearby speck makes no difference
    for category in CATEGORIES:
        assert mask_warnings(load_mask(EXAMPLES / f"{category}_mask.png"), category) == ()


def test_soft_edges_are_not_taken_for_labels():
    assert mask_warnings(feather_mask(painted(GARMENT), 40)) == ()
    turned = torch.nn.functional.interpolate(painted(GARMENT), (333, 250), mode="bilinear", antialias=True)
    assert mask_warnings(turned) == ()


def test_several_faults_get_several_sentences():
    sentences = mask_warnings(painted((0, 0, 10, 10), (200, 300, 210, 310)))
    assert [next(word for word in ("detail", "touches", "pieces") if word in one) for one in sentences] == [
        "detail",
        "touches",
        "pieces",
    ]


def test_masks_of_a_batch_are_called_by_number():
    (sentence,) = mask_warnings(torch.cat([painted(GARMENT), painted((0, 100, 100, 250))]))
    assert sentence.startswith("The mask 2 touches the left edge")


def test_a_mask_with_only_specks_still_has_warnings():
    dots = [(x, y, x + 1, y + 1) for x in range(10, 290, 20) for y in range(10, 390, 20)]
    assert any("specks" in sentence for sentence in mask_warnings(painted(*dots)))


@pytest.mark.parametrize("category", CATEGORIES)
def test_people_who_stand_sideways_are_distinguished_from_those_who_do_not(category):
    def narrow(defect: str | None, seed: int) -> bool:
        drawn = make_pair(seed, (96, 128), category=category, defect=defect).garment_mask
        mask = torch.from_numpy(np.array(drawn)).float()[None, None] / 255
        return any("sideways" in sentence for sentence in mask_warnings(mask, category))

    seeds = range(900, 930)
    turned, facing = (sum(narrow(defect, seed) for seed in seeds) for defect in ("side_view", None))
    assert turned >= 8 and facing <= 3


def test_the_category_makes_the_warning_more_certain():
    mask = painted((120, 100, 165, 250))
    assert mask_warnings(mask, "upper") and not mask_warnings(mask, "full") and not mask_warnings(mask)


def test_views_contain_the_warnings_and_their_subjects():
    person, mask = torch.rand(1, 3, 400, 300), painted((120, 100, 165, 250))
    view = make_view(person, mask, (96, 128), ViewConfig("whole"), category="upper")
    assert view.warnings == mask_warnings(mask, "upper")
    assert view.photo is person and view.photo_mask is mask
