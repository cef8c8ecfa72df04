"""The generator as a data set: names from seeds, labelled defects, consistent pairs."""

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.training.conftest import SIZE
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs, category_of
from training.data.synthetic import DEFECTS, make_pair


def test_categories_are_reported_without_drawing() -> None:
    assert [category_of(seed) for seed in range(12)] == [make_pair(seed, (24, 32)).category for seed in range(12)]


def test_pairs_are_those_of_their_seeds() -> None:
    source = SyntheticPairs(SyntheticConfig(123, 3, SIZE, coarse=0.16))
    assert [entry.name for entry in source.entries] == ["seed-000000123", "seed-000000124", "seed-000000125"]
    for index in (2, 0):
        pair = make_pair(source.seeds[index], SIZE, coarse=0.16)
        assert source.person(index).tobytes() == pair.person.tobytes()
        assert source.garment(index).tobytes() == pair.garment.tobytes()
        assert source.mask(index).tobytes() == pair.garment_mask.tobytes()
        assert source.garment_cover(index).tobytes() == pair.garment_silhouette.tobytes()
        assert (source.parsing(index).labels == np.array(pair.parsing)).all()
        assert source.keypoints(index).joints.keys() == pair.joints.keys()
    agnostic = SyntheticPairs(SyntheticConfig(123, 1, SIZE), "agnostic")
    assert agnostic.mask(0).tobytes() == make_pair(123, SIZE).agnostic_mask.tobytes()


def test_the_garment_in_the_parsing_map_is_that_of_the_mask() -> None:
    source = SyntheticPairs(SyntheticConfig(0, 8, SIZE))
    for index, entry in enumerate(source.entries):
        parsed, mask = source.parsing(index).garment(entry.category), np.array(source.mask(index)) > 127
        assert (parsed & mask).sum() / mask.sum() > 0.9


def test_a_fraction_of_the_pairs_is_bad_and_labelled() -> None:
    source = SyntheticPairs(SyntheticConfig(0, 400, SIZE, bad_share=0.25))
    defects = [source.defect(index) for index in range(400)]
    assert 70 < sum(defect is not None for defect in defects) < 130 and set(defects) == {None, *DEFECTS}
    later = SyntheticPairs(SyntheticConfig(100, 50, SIZE, bad_share=0.25))
    assert [later.defect(index) for index in range(50)] == defects[100:150]  # by seed, regardless of the range
    index = next(row for row, defect in enumerate(defects) if defect is not None)
    assert source.person(index).tobytes() == make_pair(index, SIZE, defect=defects[index]).person.tobytes()
    assert not any(SyntheticPairs(SyntheticConfig(0, 50, SIZE)).defect(index) for index in range(50))


def test_one_category() -> None:
    source = SyntheticPairs(SyntheticConfig(0, 30, SIZE), categories=("full",))
    assert 0 < len(source) < 30 and {entry.category for entry in source.entries} == {"full"}
    assert source.entries[0].name == f"seed-{source.seeds[0]:09d}"
    assert category_of(source.seeds[0]) == "full"


@pytest.mark.parametrize(
    "options", [{"size": (100, 100)}, {"start": -1}, {"bad_share": 1.5}], ids=["size", "start", "share"]
)
def test_pairs_that_cannot_be_drawn_are_rejected(options: dict) -> None:
    with pytest.raises(IGRError):
        SyntheticConfig(**options)


def test_unknown_masks_are_refused() -> None:
    with pytest.raises(IGRError, match="no mask 'file'"):
        SyntheticPairs(SyntheticConfig(), "file")
