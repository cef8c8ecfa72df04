"""Rendered records as a data set: every photo is a pair, dressed according to the dress seed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import DrawnPairs
from training.data.caches.dressed import dress_shards
from training.data.checking import check_pairs
from training.data.layouts.tars import TarPairs, write_tars
from training.data.opening import DataSetConfig, detect_layout, open_data_set, splits_in
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate
from training.data.rendered.source import RenderedConfig, RenderedPairs

SIZE = (48, 64)
SETTINGS = RenderSettings(size=SIZE, photos=2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Records of six garments with one to three photos."""
    folder = tmp_path_factory.mktemp("records")
    generate(folder, range(6), SETTINGS, 1, per_shard=4, maker=stand_in.make_record)
    return str(folder)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Records of two held-out seeds, the first of which is rejected."""
    folder = tmp_path_factory.mktemp("held_out")
    seeds = range(10_000_000, 10_000_002)
    generate(folder, seeds, replace(SETTINGS, held_out=True), 1, maker=stand_in.make_record)
    return str(folder)


def test_every_photo_is_a_pair_and_all_of_it_is_read(root: str) -> None:
    source = open_data_set(DataSetConfig(root=root))
    assert source.layout == "rendered" and len(source) == 12
    assert [entry.name for entry in source.entries][:3] == [
        "garment-000000000/photo-0", "garment-000000001/photo-0", "garment-000000001/photo-1",
    ]  # fmt: skip
    assert [entry.category for entry in source.entries][:3] == ["upper", "lower", "lower"]
    for report in check_pairs(source, 1):
        assert report.problems == () and report.photo_size == report.garment_size == SIZE
        assert report.has_parsing and report.has_keypoints


def test_every_image_and_label_of_a_pair_is_available(root: str) -> None:
    source = RenderedPairs(root)
    assert source.person(2).mode == "RGB" and set(np.unique(source.mask(2))) == {0, 255}
    assert source.parsing(2).table.name == "ATR-18" and source.parsing(2).of("upper").any()
    assert source.keypoints(2).joints["neck"].x == SIZE[0] / 2
    assert np.asarray(source.garment_cover(2)).any() and source.labels(2)["framing"] == "full body"
    flow = source.correspondence(2)
    inside = np.isfinite(flow).all(-1)
    assert flow.shape == (SIZE[1], SIZE[0], 2) and inside.any() and not inside.all()
    assert source.photo_name(2) == "garment-000000001_photo-1" and source.defect(2) is None
    larger = RenderedPairs(root, mask="agnostic")
    assert np.asarray(larger.mask(2)).sum() > np.asarray(source.mask(2)).sum()


def test_photos_of_one_garment_name_share_its_image(root: str) -> None:
    source = RenderedPairs(root, RenderedConfig(dressings=2))
    names = [entry.name for entry in source.entries]
    own = names.index("garment-000000002/photo-1/dress-1")
    same = [index for index, entry in enumerate(source.entries) if entry.garment == source.entries[own].garment]
    assert [names[index] for index in same] == [f"garment-000000002/photo-{photo}/dress-1" for photo in range(3)]
    assert all(np.array_equal(source.garment(own), source.garment(index)) for index in same)


def test_another_dress_seed_is_another_pair_and_the_same_is_the_same(root: str) -> None:
    first, same, other = (RenderedPairs(root, RenderedConfig(dress_seed=seed)) for seed in (0, 0, 7))
    assert np.array_equal(first.person(3), same.person(3)) and np.array_equal(first.garment(3), same.garment(3))
    assert not np.array_equal(first.garment(3), other.garment(3))
    assert np.array_equal(first.mask(3), other.mask(3))


def test_held_out_records_are_the_test_split(root: str, held_out: str) -> None:
    assert detect_layout(root) == detect_layout(f"{root}/records-000000004.tar") == "rendered"
    assert splits_in(root, "rendered") == ("train",) and splits_in(held_out, "rendered") == ("test",)
    assert len(open_data_set(DataSetConfig(root=held_out, split="test"))) == 3
    with pytest.raises(IGRError, match="contains no records of the train split"):
        open_data_set(DataSetConfig(root=held_out))


def test_photos_with_a_defect_are_skipped_unless_requested(tmp_path: Path) -> None:
    def spoiled(seed: int, settings: RenderSettings):
        record, rejects = stand_in.make_record(seed, settings)
        photos = tuple(
            replace(photo, attributes={**photo.attributes, "defect": "truncated"}) if seed == 1 else photo
            for photo in record.photos
        )
        return replace(record, photos=photos), rejects

    generate(tmp_path, range(3), SETTINGS, 1, maker=spoiled)
    kept = RenderedPairs(str(tmp_path))
    assert {place.seed for place in kept.places} == {0, 2}
    every = RenderedPairs(str(tmp_path), RenderedConfig(keep_defects=True))
    assert len(every) == len(kept) + 2
    assert [every.defect(index) for index in range(len(every)) if every.places[index].seed == 1] == ["truncated"] * 2
    config = DrawConfig(size=(24, 32), photo_size=SIZE, crop_size=16)
    for keep_defects, names in ((False, {0, 2}), (True, {0, 1, 2})):
        out = tmp_path / str(keep_defects)
        dress_shards(out, str(tmp_path), len(every), config, 1, keep_defects=keep_defects)
        assert set(DrawnPairs(out).seeds) == names


def test_rendered_pairs_can_be_packed(root: str, tmp_path: Path) -> None:
    source = open_data_set(DataSetConfig(root=root, categories=("lower",), limit=2))
    write_tars(source, tmp_path)
    packed = TarPairs(str(tmp_path))
    assert [entry.name for entry in packed.entries] == [entry.name for entry in source.entries]
    assert np.array_equal(packed.mask(1), source.mask(1)) and packed.parsing(1).table.name == "ATR-18"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: RenderedPairs(root, mask="file"), "no mask 'file': choose garment or agnostic"),
        (lambda root: RenderedConfig(dressings=0), "dressings is 0: use a number from 1"),
        (lambda root: RenderedPairs(f"{root}/none"), "contains no rendered records"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(root: str, make, said: str) -> None:
    with pytest.raises(IGRError, match=said):
        make(root)
