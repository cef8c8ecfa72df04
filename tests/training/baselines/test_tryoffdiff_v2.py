"""TryOffDiff v2 with narrow seeded weights, and the fingerprint of its authors' own code with the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from igr_core.errors import IGRError
from tests.support.models.tiny_rivals import fingerprint, photo, save_tryoffdiff_v2
from training.baselines import tryoffdiff_v2
from training.baselines.method import Item, Settings
from training.baselines.weights import find

SETTINGS = Settings(steps=3, guidance=2.5, seed=42)
CATEGORIES = ("upper", "lower", "full")
AUTHORS = [
    [-1.8295, -2.6938, 2.026, -0.6877, -3.3638, -2.904, -0.9382, -1.1767],
    [-5.704, -2.0166, -0.2814, 2.9174, -0.2224, -1.1445, -0.6322, -3.2464],
    [-4.4155, -6.2586, -2.7442, 2.4674, -4.5578, -1.1516, 0.977, 1.3548],
]
"""Latents of a photo of each category, computed by inference_tryoffdiffv2 of rizavelioglu/tryoffdiff at 9243bd4."""


def item(number: int, category: str) -> Item:
    return Item(number, f"test_{number}", f"{number}", category, photo(number))


def load(weights: Path, variant: tryoffdiff_v2.Variant = "multi") -> tryoffdiff_v2.TryOffDiffV2:
    found = find(weights, tryoffdiff_v2.files(variant))
    return tryoffdiff_v2.load(found, SETTINGS, torch.device("cpu"), variant)


@pytest.fixture(scope="module")
def method(tryoffdiff_v2_weights: Path) -> tryoffdiff_v2.TryOffDiffV2:
    return load(tryoffdiff_v2_weights)


def sampled(method: tryoffdiff_v2.TryOffDiffV2, items: list[Item]) -> torch.Tensor:
    photos = torch.stack([method.load(one) for one in items])
    return method.sample(photos, method._noise.at([one.index for one in items]), method.labels(items))


def test_latents_are_those_of_the_authors_code(method: tryoffdiff_v2.TryOffDiffV2) -> None:
    items = [item(number, category) for number, category in enumerate(CATEGORIES)]
    np.testing.assert_allclose(fingerprint(sampled(method, items)), AUTHORS, atol=1e-3)


def test_the_category_matters(method: tryoffdiff_v2.TryOffDiffV2) -> None:
    upper, lower = (sampled(method, [item(0, category)]) for category in ("upper", "lower"))
    assert (upper - lower).abs().max() > 0.1


def test_the_photo_matters(method: tryoffdiff_v2.TryOffDiffV2) -> None:
    noise, label = method._noise.at([0]), torch.tensor([0])
    one, other = (method.sample(method.load(item(number, "upper"))[None], noise, label) for number in (0, 1))
    assert (one - other).abs().max() > 0.1


def test_the_model_of_one_category_has_no_classes(tmp_path: Path) -> None:
    method = load(save_tryoffdiff_v2(tmp_path, "dress"), "dress")
    items = [item(0, "full")]
    assert method.labels(items) is None
    (garment,) = method.generate(items, [method.load(one) for one in items])
    assert garment.size == (512, 512)


def test_the_model_of_all_categories_is_not_taken_for_one_of_a_category(tmp_path: Path) -> None:
    folder = save_tryoffdiff_v2(tmp_path)
    (folder / "tryoffdiffv2_multi.pth").rename(folder / "tryoffdiffv2_upper.pth")
    with pytest.raises(IGRError, match=r"tryoffdiffv2_upper.pth has unet.class_embedding.weight"):
        load(folder, "upper")


def test_the_initial_noise_is_not_scaled(method: tryoffdiff_v2.TryOffDiffV2, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    forward = method.unet.forward
    monkeypatch.setattr(method.unet, "forward", lambda given, *a, **k: seen.append(given) or forward(given, *a, **k))
    sampled(method, [item(0, "upper")])
    assert torch.equal(seen[0][:1], method._noise.at([0]))
