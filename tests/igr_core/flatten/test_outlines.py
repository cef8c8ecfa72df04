"""Outlines of real garments in place of the flattener's blurred one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.flatten.model_file import load_flattener, outlines_beside
from igr_core.flatten.outline_file import OutlineSet, load_outlines, save_outlines
from igr_core.flatten.outlines import Outlines, Shape
from igr_core.included import INCLUDED_FLATTENER, INCLUDED_OUTLINES
from igr_core.model.config import CATEGORIES

HEIGHT, WIDTH = 256, 192
UPPER, LOWER, FULL = range(3)


def tunic(left: int, top: int, bottom: int, neck: int = 0) -> np.ndarray:
    """(h, w) labels of a garment with square corners, and a neckline that shows `neck` rows of its inside."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[top:bottom, left : WIDTH - left] = 1
    label[top : top + neck, 76 : WIDTH - 76] = 2
    return label


def set_of(*labels: np.ndarray, categories: tuple[int, ...] | None = None) -> OutlineSet:
    return OutlineSet(np.stack(labels), np.array(categories or [UPPER] * len(labels), np.uint8))


def blurred(label: np.ndarray, sigma: int = 6) -> Tensor:
    """Logits (1, H, W) of an opacity whose corners are round, as the flattener predicts them."""
    soft = torch.from_numpy(label > 0).float()[None, None]
    for _ in range(3):
        soft = F.avg_pool2d(soft, 2 * sigma + 1, 1, sigma)
    return (soft[0] - 0.5) * 12


def fitted(outlines: OutlineSet, opacity: Tensor, visible: Tensor | None = None, category: int = UPPER) -> Shape | None:
    everywhere = torch.full((HEIGHT // 4, WIDTH // 4), 6.0)
    return Outlines(outlines).fitted(opacity, everywhere if visible is None else visible, category)


def overlap(found: Tensor, label: np.ndarray) -> float:
    cloth, true = found[0] > 0, torch.from_numpy(label > 0)
    return float((cloth & true).sum() / (cloth | true).sum())


def test_corners_are_square_again() -> None:
    true = tunic(50, 40, 220)
    opacity = blurred(true)
    found = fitted(set_of(tunic(54, 44, 214), tunic(30, 90, 150)), opacity)
    assert found is not None
    assert overlap(found.opacity, true) > 0.97
    assert opacity[0, 42, 52] < 0 < found.opacity[0, 42, 52], "the corner"


def test_the_outline_is_one_of_the_garment_s_category() -> None:
    true, other = tunic(50, 40, 220), tunic(40, 60, 200)
    both = fitted(set_of(true, other, categories=(LOWER, UPPER)), blurred(true))
    alone = fitted(set_of(other), blurred(true))
    assert both is not None and alone is not None and torch.equal(both.opacity, alone.opacity)
    assert fitted(set_of(true, categories=(LOWER,)), blurred(true), category=FULL) is None


def test_the_neckline_is_as_deep_as_the_photo_shows() -> None:
    plain, deep = tunic(50, 40, 220), tunic(50, 40, 220, neck=40)
    visible = torch.full((HEIGHT // 4, WIDTH // 4), 6.0)
    shown = fitted(set_of(plain, deep), blurred(plain), visible)
    visible[10:20, 19:29] = -6.0  # skin in the neckline
    skin = fitted(set_of(plain, deep), blurred(plain), visible)
    assert shown is not None and float(shown.inside.max()) == 0
    assert skin is not None and float(skin.inside[0, 50, 96]) > 0.99 and float(skin.inside[0, 120, 96]) == 0


def test_a_garment_that_resembles_no_outline_keeps_its_own() -> None:
    cross = tunic(84, 20, 240) | tunic(10, 110, 150)
    assert fitted(set_of(tunic(50, 40, 220)), blurred(cross, 2)) is None


def test_an_outline_is_symmetric_and_fitted_in_inference_mode() -> None:
    true = tunic(47, 33, 226)
    with torch.inference_mode():
        found = fitted(set_of(tunic(54, 44, 214)), blurred(true))
        assert found is not None and (found.opacity - found.opacity.flip(-1)).abs().max() < 1e-3
    with torch.no_grad():
        again = fitted(set_of(tunic(54, 44, 214)), blurred(true))
    assert again is not None and torch.equal(found.opacity, again.opacity)


def test_a_file_keeps_labels_and_categories(tmp_path: Path) -> None:
    kept = set_of(tunic(50, 40, 220, neck=30), tunic(20, 10, 250), categories=(FULL, LOWER))
    save_outlines(tmp_path / "a_outlines.npz", kept)
    found = load_outlines(tmp_path / "a_outlines.npz")
    assert np.array_equal(found.labels, kept.labels) and np.array_equal(found.categories, kept.categories)


def test_flipped_bits_are_noticed_or_harmless(tmp_path: Path) -> None:
    whole = bytearray(INCLUDED_OUTLINES.read_bytes())
    random = np.random.default_rng(0)
    for place in random.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        (tmp_path / "a.npz").write_bytes(damaged)
        with suppress(IGRError):
            load_outlines(tmp_path / "a.npz")


@pytest.mark.parametrize("damage", ["cut", "text", "pickle", "missing entry", "categories"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.npz"
    save_outlines(path, set_of(tunic(50, 40, 220)))
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "text":
        path.write_text("not an archive")
    elif damage == "pickle":
        np.savez(path, size=np.array([{}], object))
    else:
        with np.load(path) as file:
            entries = dict(file)
        if damage == "categories":
            entries["categories"] = np.array([9], np.uint8)
        else:
            del entries["inside"]
        np.savez(path, **entries)
    with pytest.raises(
        IGRError, match=r"a\.npz is not a file of outlines: use an intact file, or collect the outlines"
    ):
        load_outlines(path)


def test_outlines_beside_a_flattener_are_used_if_they_have_its_size(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(INCLUDED_FLATTENER.read_bytes())
    assert load_flattener(path).outlines is None
    outlines_beside(path).write_bytes(INCLUDED_OUTLINES.read_bytes())
    assert load_flattener(path).outlines is not None
    save_outlines(outlines_beside(path), OutlineSet(np.ones((1, 64, 48), np.uint8), np.zeros(1, np.uint8)))
    with pytest.raises(IGRError, match="own_outlines.npz has outlines of 48x64, but the flattener's size is 192x256"):
        load_flattener(path)


def test_the_included_outlines_are_whole_symmetric_garments_of_each_category() -> None:
    found = load_outlines(INCLUDED_OUTLINES)
    assert found.labels.shape[1:] == (HEIGHT, WIDTH) and (np.bincount(found.categories) >= 200).all()
    assert len(np.bincount(found.categories)) == len(CATEGORIES)
    assert np.array_equal(found.labels, found.labels[:, :, ::-1])
    cloth = found.labels > 0
    assert 0.05 < cloth.mean((1, 2)).min() and cloth.mean((1, 2)).max() < 0.9
    assert not cloth[:, [0, -1]].any() and not cloth[:, :, [0, -1]].any(), "no garment is cut off"
    necks = (found.labels == 2).any((1, 2))
    assert necks[found.categories != LOWER].mean() > 0.5
