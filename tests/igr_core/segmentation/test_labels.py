"""The labels of each category's garment, on handmade label maps and on drawn persons."""

import numpy as np
import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import CATEGORIES
from igr_core.segmentation.labels import ATR, CIHP, FASHN, GARMENTS, KNOWN, LIP, LabelNames, garment_mask, known_labels
from training.data.contract.parsing import SYNTHETIC
from training.data.synthetic import make_pair

every_set = pytest.mark.parametrize("names", KNOWN, ids=lambda names: names.name)


def laid(names: LabelNames, *parts: tuple[str, slice]) -> torch.Tensor:
    """A label map (1, 100, 20) whose rows in each slice have a label."""
    labels = torch.zeros(1, 100, 20, dtype=torch.long)
    for name, rows in parts:
        (labels[:, rows],) = (torch.tensor(names.labels.index(name)),)
    return labels


def rows_of(mask: torch.Tensor) -> set[int]:
    """Rows that a mask (1, 1, 100, 20) covers from side to side."""
    assert mask.shape == (1, 1, 100, 20) and set(mask.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(mask.amin(-1), mask.amax(-1))
    return set(mask[0, 0, :, 0].nonzero().flatten().tolist())


def test_published_numbers():
    assert [ATR.numbers([name]) for name in ("upper-clothes", "skirt", "pants", "dress")] == [(4,), (5,), (6,), (7,)]
    assert [LIP.numbers([name]) for name in ("upper-clothes", "dress", "coat", "pants", "jumpsuits", "skirt")] == [
        (5,),
        (6,),
        (7,),
        (9,),
        (10,),
        (12,),
    ]
    assert CIHP.labels[10] == "torso-skin" and CIHP.labels[:10] + CIHP.labels[11:] == LIP.labels[:10] + LIP.labels[11:]
    assert [FASHN.numbers([name]) for name in ("top", "dress", "skirt", "pants", "belt")] == [
        (3,),
        (4,),
        (5,),
        (6,),
        (7,),
    ]
    assert [len(names.labels) for names in KNOWN] == [18, 20, 20, 18]
    assert [len(set(names.labels)) for names in KNOWN] == [18, 20, 20, 18]


@every_set
def test_every_category_has_labels_in_every_set_and_all_are_spelled_as_there(names: LabelNames):
    for own, _ in GARMENTS.values():
        assert names.numbers(own)
    everywhere = {label for one in KNOWN for label in one.labels}
    assert {label for some in GARMENTS.values() for labels in some for label in labels} <= everywhere


@every_set
def test_sets_are_known_by_their_names_however_spelled(names: LabelNames):
    assert known_labels(names.labels) is names
    assert known_labels([label.replace("-", "_").title() for label in names.labels]) is names
    assert known_labels(names.labels[::-1]) is None and known_labels(names.labels[:-1]) is None
    assert known_labels([f"LABEL_{number}" for number in range(len(names.labels))]) is None and known_labels([]) is None


@every_set
def test_a_dress_that_was_split_stays_whole_as_full(names: LabelNames):
    top = "top" if names is FASHN else "upper-clothes"
    labels = laid(names, (top, slice(20, 45)), ("skirt", slice(45, 80)), ("dress", slice(80, 85)))
    assert rows_of(garment_mask(labels, names, "full")[0]) == set(range(20, 85))
    assert rows_of(garment_mask(labels, names, "upper")[0]) == set(range(20, 45))
    assert rows_of(garment_mask(labels, names, "lower")[0]) == set(range(45, 80))


@pytest.mark.parametrize("names", [LIP, CIHP], ids=lambda names: names.name)
def test_a_coat_over_a_top_is_one_upper_garment(names: LabelNames):
    labels = laid(names, ("coat", slice(10, 30)), ("upper-clothes", slice(30, 40)), ("pants", slice(40, 80)))
    assert rows_of(garment_mask(labels, names, "upper")[0]) == set(range(10, 40))
    assert rows_of(garment_mask(labels, names, "full")[0]) == set(range(30, 80))
    assert rows_of(garment_mask(laid(names, ("coat", slice(10, 30))), names, "full")[0]) == set(range(10, 30))


def test_skirt_over_trousers_is_one_lower_garment_and_belts_are_not_garments():
    labels = laid(ATR, ("belt", slice(30, 33)), ("skirt", slice(33, 50)), ("pants", slice(50, 80)))
    assert rows_of(garment_mask(labels, ATR, "lower")[0]) == set(range(33, 80))


def test_a_crop_top_that_was_called_a_dress_is_found_by_its_category():
    labels = laid(ATR, ("dress", slice(20, 40)), ("pants", slice(40, 80)))
    assert rows_of(garment_mask(labels, ATR, "upper")[0]) == set(range(20, 40))
    labels[0, 5, 5:7] = 4  # a few stray pixels are not a garment
    assert set(range(20, 40)) <= {int(row) for row in garment_mask(labels, ATR, "upper")[0][0, 0].any(1).nonzero()}


def test_stray_pixels_alone_are_not_a_garment():
    labels = laid(ATR)
    labels[0, 50, 3:6] = ATR.labels.index("skirt")
    for category in ("lower", "full", "auto"):
        with pytest.raises(IGRError, match="found no garment"):
            garment_mask(labels, ATR, category)


def test_the_belt_of_a_split_dress_belongs_to_it():
    labels = laid(ATR, ("upper-clothes", slice(20, 45)), ("belt", slice(45, 48)), ("skirt", slice(48, 80)))
    assert rows_of(garment_mask(labels, ATR, "full")[0]) == set(range(20, 80))


def test_auto_uses_and_returns_the_category_that_covers_most():
    labels = torch.cat(
        [
            laid(ATR, ("upper-clothes", slice(10, 50)), ("pants", slice(50, 80))),
            laid(ATR, ("upper-clothes", slice(10, 30)), ("pants", slice(30, 50)), ("skirt", slice(50, 60))),
            laid(ATR, ("upper-clothes", slice(10, 30)), ("dress", slice(30, 90))),
            laid(ATR, ("dress", slice(10, 30)), ("pants", slice(30, 50))),  # equal areas
        ]
    )
    masks, categories = garment_mask(labels, ATR, "auto")
    assert categories == ("upper", "lower", "full", "full") and masks.shape == (4, 1, 100, 20)
    for mask, one, category in zip(masks, labels, categories, strict=True):
        assert torch.equal(mask[None], garment_mask(one[None], ATR, category)[0])


def test_a_photo_without_the_garment_is_named():
    dressed = laid(ATR, ("upper-clothes", slice(10, 50)))
    with pytest.raises(IGRError, match="found no garment of category lower in photo 2: choose another category"):
        garment_mask(torch.cat([laid(ATR, ("pants", slice(0, 50))), dressed]), ATR, "lower")
    with pytest.raises(IGRError, match="found no garment in the photo"):
        garment_mask(laid(ATR, ("hat", slice(0, 50))), ATR, "auto")
    with pytest.raises(IGRError, match="'shoes': choose upper, lower or full"):
        garment_mask(dressed, ATR, "shoes")


@pytest.mark.parametrize("category", CATEGORIES)
def test_drawn_people_parsed_as_atr_give_their_garments(category: str):
    kinds = {"upper": "upper-clothes", "coat": "upper-clothes", "lower": "pants", "full": "dress"}
    to_atr = torch.tensor([ATR.labels.index(kinds.get(kind, "background")) for kind in SYNTHETIC.kinds])
    for seed in range(6):
        pair = make_pair(seed, (192, 256), category=category)
        parsing = torch.from_numpy(np.array(pair.parsing)).long()
        truth = torch.from_numpy(np.array(pair.garment_mask)) > 127
        mask, _ = garment_mask(to_atr[parsing][None], ATR, category)
        found = mask[0, 0].bool()
        assert (found & truth).sum() / truth.sum() > 0.96, seed
        if not (parsing == SYNTHETIC.kinds.index("coat")).any():  # otherwise it may be a coat over the garment
            assert (found & truth).sum() / found.sum() > (0.96 if category != "full" else 0.9), seed
