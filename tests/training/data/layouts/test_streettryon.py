"""StreetTryOn: photos of all sizes without true garments, and an entry for each garment worn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.data.layouts.streettryon import StreetTryOn

Tree = Callable[[str], Path]


def test_worn_garments_determine_the_entries(tree: Tree) -> None:
    source = StreetTryOn(tree("streettryon"))
    names = [entry.name for entry in source.entries]
    assert names == ["validation/000005/upper", "validation/000006/full"] + [
        "validation/000007/upper",
        "validation/000008/full",
    ]
    assert not source.has_garments
    assert len({source.person(index).size for index in range(4)}) == 3
    for index, entry in enumerate(source.entries):
        parsing = source.parsing(index)
        assert parsing is not None
        assert (parsing.garment(entry.category) == (np.array(source.mask(index)) > 127)).all()
    with pytest.raises(IGRError, match="no flat garments"):
        source.garment(0)


def test_lower_garments_are_selected_by_name(tree: Tree) -> None:
    source = StreetTryOn(tree("streettryon"), categories=("upper", "lower"))
    lower = [index for index, entry in enumerate(source.entries) if entry.category == "lower"]
    assert lower and all(source.entries[index].name.endswith("/lower") for index in lower)
    both = [entry.name.rsplit("/", 1)[0] for entry in source.entries]
    assert len(set(both)) < len(both)
    for index in lower:
        assert np.array(source.mask(index)).any()


def test_without_the_list_all_photos_count(copy: Tree) -> None:
    root = copy("streettryon")
    path = root / "annotations" / "validation_image_list.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    listed = [entry.name for entry in StreetTryOn(root).entries]
    path.unlink()
    assert [entry.name for entry in StreetTryOn(root).entries] == listed and len(listed) == 4


def test_a_map_that_cannot_be_read_is_reported_when_it_is_read(copy: Tree) -> None:
    root = copy("streettryon")
    path = root / "validation" / "segm_atr_labels" / "000006.png"
    path.write_bytes(path.read_bytes()[:60])
    (path.parent / "000007.png").unlink()
    source = StreetTryOn(root)
    assert [entry.name for entry in source.entries][1] == "validation/000006/upper"
    with pytest.raises(IGRError, match=r"000006\.png has a damaged header"):
        source.mask(1)
    assert source.missing(2) == [str(path.parent / "000007.png")]


def test_someone_without_the_garment_is_skipped(copy: Tree) -> None:
    root = copy("streettryon")
    path = root / "validation" / "segm_atr_labels" / "000005.png"
    Image.new("L", (96, 128), 0).save(path)
    assert len(StreetTryOn(root)) == 3


def test_what_is_missing_is_reported(copy: Tree) -> None:
    root = copy("streettryon")
    with pytest.raises(IGRError, match="no published agnostic masks"):
        StreetTryOn(root, mask="agnostic")
    (root / "train" / "segm_atr_labels").rename(root / "train" / "segm")
    with pytest.raises(IGRError, match=r"train/segm_atr_labels does not exist"):
        StreetTryOn(root, "train")
