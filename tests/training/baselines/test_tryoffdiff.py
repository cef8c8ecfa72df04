"""TryOffDiff with narrow seeded weights, and the fingerprint of its authors' own code with the same weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from igr_core.errors import IGRError
from tests.support.models.tiny_rivals import fingerprint, photo, save_tryoffdiff_v2
from training.baselines import tryoffdiff
from training.baselines.method import Item, Settings
from training.baselines.weights import find

SETTINGS = Settings(steps=3, guidance=2.0, seed=42)
AUTHORS = [
    [5.6568, -2.3396, -1.6933, -0.5777, -2.8617, -1.9101, 3.7908, 1.338],
    [-4.2979, 1.1091, -0.9698, 0.1828, 5.4462, -4.452, 1.0315, 0.7516],
]
"""Latents of two photos, computed by inference_tryoffdiff of rizavelioglu/tryoffdiff at 9243bd4."""


def item(number: int) -> Item:
    return Item(number, f"test_{number}", f"{number}", "upper", photo(number))


@pytest.fixture(scope="module")
def method(tryoffdiff_weights: Path) -> tryoffdiff.TryOffDiff:
    return tryoffdiff.load(find(tryoffdiff_weights, tryoffdiff.FILES), SETTINGS, torch.device("cpu"))


def sampled(method: tryoffdiff.TryOffDiff, numbers: list[int]) -> torch.Tensor:
    photos = torch.stack([method.load(item(number)) for number in numbers])
    return method.sample(photos, method._noise.at(numbers), None)


def test_latents_are_those_of_the_authors_code(method: tryoffdiff.TryOffDiff) -> None:
    np.testing.assert_allclose(fingerprint(sampled(method, [0, 1])), AUTHORS, atol=1e-3)


def test_a_batch_equals_its_photos_one_by_one(method: tryoffdiff.TryOffDiff) -> None:
    both, single = sampled(method, [0, 1]), sampled(method, [1])
    assert torch.allclose(both[1:], single, atol=1e-3)


def test_garments_are_squares(method: tryoffdiff.TryOffDiff) -> None:
    (garment,) = method.generate([item(0)], [method.load(item(0))])
    pixels = np.asarray(garment)
    assert garment.size == (512, 512) and garment.mode == "RGB"
    assert pixels.min() == 0 and pixels.max() == 255 and pixels.std() > 5


def test_the_photo_matters(method: tryoffdiff.TryOffDiff) -> None:
    noise = method._noise.at([0])
    one, other = (method.sample(method.load(item(number))[None], noise, None) for number in (0, 1))
    assert (one - other).abs().max() > 0.1


def test_guidance_of_one_only_needs_the_photo(tryoffdiff_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, place = find(tryoffdiff_weights, tryoffdiff.FILES), torch.device("cpu")
    plain = tryoffdiff.load(found, Settings(2, 1.0, 42), place)
    close = tryoffdiff.load(found, Settings(2, 1.0 + 1e-6, 42), place)
    rows: list[int] = []
    forward = plain.unet.forward

    def counting(given: torch.Tensor, *words: object, **named: object) -> object:
        rows.append(len(given))
        return forward(given, *words, **named)

    monkeypatch.setattr(plain.unet, "forward", counting)
    assert torch.allclose(sampled(plain, [0]), sampled(close, [0]), atol=1e-2)
    assert set(rows) == {1}


def damaged(folder: Path, weights: Path, change: str) -> Path:
    """A copy of a weights folder with a damaged checkpoint."""
    shutil.copytree(weights, folder)
    path = folder / "tryoffdiff.pth"
    tensors = torch.load(path, weights_only=True)
    if change == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
        return folder
    if change == "lacks":
        del tensors["unet.conv_in.weight"]
    if change == "shape":
        tensors["norm.bias"] = torch.zeros(5)
    if change == "module":
        torch.save(torch.nn.Linear(1, 1), path)
        return folder
    torch.save(tensors, path)
    return folder


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("truncated", "tryoffdiff.pth cannot be read"),
        ("module", "tryoffdiff.pth cannot be read"),  # a pickle that would run code
        ("lacks", "tryoffdiff.pth contains no UNet"),
        ("shape", "tryoffdiff.pth lacks norm.bias, or has it in another shape"),
    ],
)
def test_damaged_weights_are_named(change: str, sentence: str, tmp_path: Path, tryoffdiff_weights: Path) -> None:
    folder = damaged(tmp_path / "weights", tryoffdiff_weights, change)
    with pytest.raises(IGRError) as caught:
        tryoffdiff.load(find(folder, tryoffdiff.FILES), SETTINGS, torch.device("cpu"))
    assert sentence in str(caught.value) and str(folder) in str(caught.value)


def test_another_models_checkpoint_is_refused(tmp_path: Path, tryoffdiff_weights: Path) -> None:
    shutil.copytree(tryoffdiff_weights, tmp_path / "weights")
    other = save_tryoffdiff_v2(tmp_path / "v2")
    shutil.copy(other / "tryoffdiffv2_multi.pth", tmp_path / "weights" / "tryoffdiff.pth")
    with pytest.raises(IGRError, match=r"lacks transformer.linear1.weight, so it belongs to another model"):
        tryoffdiff.load(find(tmp_path / "weights", tryoffdiff.FILES), SETTINGS, torch.device("cpu"))


def test_a_siglip_that_lacks_a_tensor_is_named(tmp_path: Path, tryoffdiff_weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tryoffdiff_weights, tmp_path / "weights")
    path = tmp_path / "weights" / "siglip-base-patch16-512" / "model.safetensors"
    tensors = load_file(path)
    del tensors["vision_model.post_layernorm.weight"]
    save_file(tensors, path)
    with pytest.raises(IGRError, match=r"siglip.*model.safetensors lacks .*post_layernorm.weight"):
        tryoffdiff.load(find(tmp_path / "weights", tryoffdiff.FILES), SETTINGS, torch.device("cpu"))
