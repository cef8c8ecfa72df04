"""The interface of data sets: unique names, subsets, and pickling for worker processes."""

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.data.contract.joined import JoinedPairs
from training.data.contract.pairs import PairEntry, PairSource, PairSubset
from training.data.fixtures import FIXTURES
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from training.data.layouts.viton_hd import VitonHD
from training.data.opening import DataSetConfig, open_data_set

Tree = Callable[[str], Path]


class Plain(PairSource):
    layout = "plain"

    def person(self, index: int) -> Image.Image:
        return Image.new("RGB", (32, 32))

    def mask(self, index: int) -> Image.Image:
        return Image.new("L", (32, 32), 255)


def test_a_duplicate_name_is_rejected() -> None:
    with pytest.raises(IGRError, match="the set lists b twice"):
        Plain("the set", [PairEntry("a", "upper"), PairEntry("b", "upper"), PairEntry("b", "lower")])


def test_a_subset_is_the_rows_it_names(tree: Tree) -> None:
    source = VitonHD(tree("viton_hd"), "train")
    subset = PairSubset(source, [4, 1])
    assert [entry.name for entry in subset.entries] == ["train/00004_00", "train/00001_00"]
    for index, row in enumerate((4, 1)):
        for read in ("person", "mask", "garment", "garment_cover"):
            assert getattr(subset, read)(index).tobytes() == getattr(source, read)(row).tobytes()
        assert subset.keypoints(index) == source.keypoints(row)
        parsing, expected = subset.parsing(index), source.parsing(row)
        assert parsing is not None and expected is not None and (parsing.labels == expected.labels).all()
    assert subset.has_garments and subset.layout == "viton_hd" and subset.title == source.title
    plain = PairSubset(Plain("the set", [PairEntry("a", "upper")]), [0])
    assert plain.parsing(0) is None and plain.garment_cover(0) is None and plain.missing(0) == []
    with pytest.raises(IGRError, match="the set has no flat garments"):
        plain.garment(0)


def test_wrappers_forward_every_method() -> None:
    """If a wrapper did not forward a method, it would silently return the default, as if the data set had no such
    data."""
    readings = {name for name, one in vars(PairSource).items() if inspect.isfunction(one) and not name.startswith("_")}
    for wrapper in (PairSubset, JoinedPairs):
        assert readings <= set(vars(wrapper)), wrapper.__name__
    drawn = SyntheticPairs(SyntheticConfig(10_000_000, 2, (96, 128), correspondence=True))
    joined = JoinedPairs([PairSubset(drawn, [0]), PairSubset(drawn, [1])])
    assert joined.tells_correspondence == drawn.tells_correspondence is True
    for index in range(2):
        assert joined.printed_words(index) == drawn.printed_words(index)
        np.testing.assert_array_equal(joined.correspondence(index), drawn.correspondence(index))


@pytest.mark.parametrize("layout", FIXTURES)
def test_sources_travel_to_worker_processes(tree: Tree, layout: str) -> None:
    source = open_data_set(DataSetConfig(root=str(tree(layout)), limit=2))
    other = pickle.loads(pickle.dumps(source))
    assert other.entries == source.entries and other.mask(1).tobytes() == source.mask(1).tobytes()
