"""Pairs of a data set laid out for a model: canvas, flips without lettering, reproducible mask corruption."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from training.data.contract.laid_out import (
    ASYMMETRY_LIMIT,
    FIRST_OF_FILES,
    LaidOutPairs,
    Selected,
    ViewLayout,
    asymmetry,
    fit_garment,
    name_number,
    with_flips,
)
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from training.data.synthetic import make_pair

LAYOUT = ViewLayout((48, 64), ViewConfig(), 32)


@pytest.fixture(scope="module")
def source() -> SyntheticPairs:
    return SyntheticPairs(SyntheticConfig(start=0, count=6, size=(96, 128)))


def test_images_have_the_models_sizes(source: SyntheticPairs) -> None:
    pairs = LaidOutPairs(source, LAYOUT, threads=2)
    pictures = pairs.pictures([4, 1])
    assert {name: tuple(x.shape) for name, x in pictures.items()} == {
        "person": (2, 3, 64, 48),
        "mask": (2, 1, 64, 48),
        "garment": (2, 3, 64, 48),
        "crop": (2, 3, 32, 32),
    }
    assert all(x.dtype == torch.uint8 for x in pictures.values())
    alone = pairs.pictures([1])
    assert all(torch.equal(alone[name][0], pictures[name][1]) for name in alone)
    assert pairs.names[1] == "seed-000000001" and pairs.categories[1] == source.entries[1].category


def test_a_flipped_pair_is_the_mirror_image(source: SyntheticPairs) -> None:
    plain = LaidOutPairs(source, LAYOUT).pictures([2])
    flipped = LaidOutPairs(source, LAYOUT, [Selected(2, flipped=True)])
    assert flipped.names == ["seed-000000002 flipped"]
    for name, picture in flipped.pictures([0]).items():
        difference = (picture.int() - plain[name].flip(-1).int()).abs().float()
        assert difference.mean() < 1, name  # resizing is not quite symmetric


def test_corrupted_masks_are_corrupted_alike_each_time(source: SyntheticPairs) -> None:
    corrupted = LaidOutPairs(source, dataclasses.replace(LAYOUT, spoil_share=1.0, spoil_strength=1.0))
    masks = [corrupted.pictures(range(6))["mask"] for _ in range(2)]
    assert torch.equal(*masks)
    changed = (masks[0] != LaidOutPairs(source, LAYOUT).pictures(range(6))["mask"]).flatten(1).any(1)
    assert int(changed.sum()) >= 5


def test_an_empty_mask_names_the_pair(source: SyntheticPairs) -> None:
    class Empty(SyntheticPairs):
        def mask(self, index: int) -> Image.Image:
            return Image.new("L", (96, 128))

    pairs = LaidOutPairs(Empty(SyntheticConfig(count=1, size=(96, 128))), LAYOUT)
    with pytest.raises(IGRError, match="seed-000000000: The mask is empty"):
        pairs.pictures([0])


@pytest.mark.parametrize(
    ("size", "box", "wanted"),
    [
        ((30, 40), None, (0, 0, 48, 64)),
        ((40, 40), None, (0, 8, 48, 56)),
        ((30, 40), (10, 10, 25, 30), (0, 0, 48, 64)),
        ((30, 40), (-15, -20, 45, 60), (12, 16, 36, 48)),
    ],
)
def test_garments_are_fitted_on_white(
    size: tuple[int, int], box: tuple[int, int, int, int] | None, wanted: tuple[int, int, int, int]
) -> None:
    fitted = fit_garment(Image.new("RGB", size, "red"), (48, 64), box)
    assert fitted.size == (48, 64)
    red = np.asarray(fitted)[..., 1] < 128
    rows, columns = np.nonzero(red)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == wanted


def plain_garment() -> Image.Image:
    picture = Image.new("RGB", (192, 256), "white")
    draw = ImageDraw.Draw(picture)
    draw.polygon([(40, 40), (152, 40), (170, 220), (22, 220)], fill=(60, 90, 160))
    draw.line([(96, 40), (96, 220)], fill=(20, 30, 60), width=3)
    return picture


def test_one_small_word_makes_a_garment_asymmetric() -> None:
    garment = plain_garment()
    assert asymmetry(garment) <= ASYMMETRY_LIMIT
    ImageDraw.Draw(garment).text((80, 90), "IGR", fill="white")
    assert asymmetry(garment) > ASYMMETRY_LIMIT
    assert asymmetry(Image.new("RGB", (20, 20), "white")) == 1.0


def test_no_lettering_is_flipped_on_drawn_garments() -> None:
    pairs = [make_pair(seed, (192, 256)) for seed in range(40)]
    allowed = [pair for pair in pairs if asymmetry(pair.garment) <= ASYMMETRY_LIMIT]
    assert len(allowed) >= 4 and any(pair.attributes["text"] for pair in pairs)
    assert not any(pair.attributes["text"] for pair in allowed)


def test_flips_are_added_once(source: SyntheticPairs) -> None:
    selected = [Selected(0), Selected(3, garment_box=(0, 0, 5, 5)), Selected(4)]
    found = with_flips(source, selected, {0: 1.0, 3: 0.0, 4: 0.01})
    assert found == [*selected, Selected(3, True, (0, 0, 5, 5)), Selected(4, True)]
    assert with_flips(source, found, {0: 1.0, 3: 1.0, 4: 1.0}) == found


def test_every_name_has_a_number() -> None:
    assert name_number("seed-000000012") == 12
    numbers = {name_number(name) for name in ("train/00001_00", "train/00002_00", "seed-12 flipped")}
    assert len(numbers) == 3 and all(FIRST_OF_FILES <= number < 1 << 62 for number in numbers)
    assert torch.tensor(sorted(numbers)).dtype == torch.int64


@pytest.mark.parametrize("box", [(0, 0, 999999999, 999999999), (50, 50, 10, 10), (5, 5, 5, 9), (200, 0, 300, 50)])
def test_a_box_that_does_not_fit_its_garment_is_named(source: SyntheticPairs, box: tuple[int, int, int, int]) -> None:
    pairs = LaidOutPairs(source, LAYOUT, [Selected(2, garment_box=box)], manifest="runs/curation")
    words = rf"seed-000000002: the garment_box {' '.join(map(str, box))} in runs/curation does not fit its 96x128 image"
    with pytest.raises(IGRError, match=words):
        pairs.pictures([0])


def test_a_box_may_extend_beyond_its_garment(source: SyntheticPairs) -> None:
    pairs = LaidOutPairs(source, LAYOUT, [Selected(2, garment_box=(-48, -64, 144, 192))])
    assert pairs.pictures([0])["garment"].shape == (1, 3, 64, 48)
