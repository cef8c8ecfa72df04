"""Augmented photos: the garment stays whole, and a known correspondence is transformed with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from training.data.contract.augment import AugmentConfig, augmented
from training.data.contract.laid_out import LaidOutPairs, ViewLayout
from training.data.opening import DataSetConfig, open_data_set
from training.prepared.selection import PairsConfig, open_pairs

ALL = AugmentConfig(share=1.0)
BOX = (30, 40, 70, 110)
LAYOUT = ViewLayout((48, 64), ViewConfig(), 32)


def photo() -> tuple[Image.Image, Image.Image]:
    """A red garment on grey, and its mask."""
    person, mask = Image.new("RGB", (96, 128), (120, 120, 120)), Image.new("L", (96, 128))
    ImageDraw.Draw(person).rectangle((BOX[0], BOX[1], BOX[2] - 1, BOX[3] - 1), fill=(200, 20, 20))
    mask.paste(255, BOX)
    return person, mask


def test_nothing_changes_outside_the_share() -> None:
    person, mask = photo()
    for config in (AugmentConfig(), replace(ALL, share=0.3)):
        found = [augmented(person, mask, seed, config) for seed in range(60)]
        changed = sum(one.person is not person for one in found)
        assert changed == 0 if config.share == 0 else 8 <= changed <= 28


@pytest.mark.parametrize("seed", range(12))
def test_the_garment_stays_whole_and_under_its_mask(seed: int) -> None:
    person, mask = photo()
    found = augmented(person, mask, seed, ALL)
    assert found.person.size == found.mask.size
    box = found.mask.getbbox()
    assert box is not None
    wide, tall = (BOX[2] - BOX[0]) * found.scale[0], BOX[3] - BOX[1]
    assert abs(box[2] - box[0] - wide) <= 1 and box[3] - box[1] == tall
    pixels = np.asarray(found.person).astype(int)
    red = pixels[..., 0] - pixels[..., 1] > 60
    inside = np.asarray(found.mask) > 127
    assert (red & inside).sum() > 0.9 * inside.sum() and (red & ~inside).sum() < 0.1 * inside.sum()


@pytest.mark.parametrize("seed", range(12))
def test_correspondence_moves_with_the_photo(seed: int) -> None:
    person, mask = photo()
    found = augmented(person, mask, seed, ALL)
    box = found.mask.getbbox()
    corners = np.array([[[BOX[0], BOX[1]], [BOX[2], BOX[3]]]], np.float32)
    moved = found.places(corners)[0]
    assert box is not None and np.abs(moved - np.array([box[:2], box[2:]])).max() <= 1
    assert np.isnan(found.places(np.array([[[-500.0, 5.0], [np.nan, 3.0]]], np.float32))).all()


def test_each_pair_is_changed_differently_but_always_in_the_same_way() -> None:
    person, mask = photo()
    one, again, other = (augmented(person, mask, seed, ALL).person for seed in (1, 1, 2))
    assert one.tobytes() == again.tobytes() and one.tobytes() != other.tobytes()
    shapes = {augmented(person, mask, seed, ALL).person.size for seed in range(30)}
    ratios = [width / height for width, height in shapes]
    assert len(shapes) > 20 and max(ratios) > 1.0 and min(ratios) < 0.75


@pytest.mark.parametrize("changes", [{"share": 1.5}, {"zoom": 0.95}, {"aspect": -0.1}, {"colour": float("nan")}])
def test_shares_have_a_range(changes: dict[str, float]) -> None:
    with pytest.raises(IGRError, match=f"augment.{next(iter(changes))} is"):
        AugmentConfig(**changes)


def test_a_share_of_viton_hds_masks_is_exact(tree: Callable[[str], Path]) -> None:
    config = DataSetConfig(root=str(tree("viton_hd")))
    agnostic, exact = (open_data_set(replace(config, mask=mask)) for mask in ("agnostic", "garment"))  # type: ignore[arg-type]

    def masks(source: object, share: float = 0.0) -> list[torch.Tensor]:
        pairs = LaidOutPairs(source, replace(LAYOUT, exact_share=share))  # type: ignore[arg-type]
        return list(pairs.pictures(range(len(pairs)))["mask"])

    plain, tight = masks(agnostic), masks(exact)
    assert [bool(torch.equal(x, y)) for x, y in zip(masks(agnostic, 1.0), tight, strict=True)] == [True] * len(tight)
    mixed = masks(agnostic, 0.5)
    kinds = [torch.equal(one, x) - torch.equal(one, y) for one, x, y in zip(mixed, plain, tight, strict=True)]
    assert {1, -1} == set(kinds)


def test_shards_record_augmentation_only_if_it_is_enabled(tree: Callable[[str], Path]) -> None:
    """So that shards with the paper's settings still match the config."""
    pairs = PairsConfig(DataSetConfig(root=str(tree("viton_hd"))))
    plain = open_pairs(pairs, LAYOUT).described["data"]
    assert not {"exact_share", "augment"} & plain.keys()
    changed = open_pairs(pairs, replace(LAYOUT, exact_share=0.5, augment=ALL)).described["data"]
    assert changed["exact_share"] == 0.5 and changed["augment"]["share"] == 1.0


def test_a_set_without_parsing_maps_is_refused_before_anything_is_computed(tree: Callable[[str], Path]) -> None:
    pairs = PairsConfig(DataSetConfig(root=str(tree("folder"))), exact_share=0.5)
    with pytest.raises(IGRError, match="parsing maps"):
        open_pairs(pairs, LAYOUT)
