"""TryOffAnyone with narrow seeded weights, and the fingerprint of its authors' own code with the same weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from tests.support.models.tiny_rivals import build_unet, fingerprint, garment_mask, photo, seeded
from training.baselines import tryoffanyone
from training.baselines.method import Item, Settings
from training.baselines.tryoffanyone import SIZE, Photo, TryOffAnyone, fine_tuned
from training.baselines.weights import find

SETTINGS = Settings(steps=3, guidance=2.5, seed=36)
AUTHORS = [
    [-1.2679, -0.0971, 3.5399, -3.735, -1.2703, -3.1512, -0.0469, 5.7423],
    [-1.2429, -0.1035, 3.5259, -3.6892, -1.2603, -3.0932, -0.0373, 5.7357],
]
"""Latents of two photos, computed by TryOffAnyone of ixarchakos/try-off-anyone at e3c78b5, with seed 37 for the VAE."""


class Squares:
    """The masks of the photos' squares."""

    def of(self, item: Item, photo: Image.Image) -> Image.Image:
        return garment_mask(item.index).resize(photo.size, Image.Resampling.BICUBIC)


def item(number: int) -> Item:
    return Item(number, f"test_{number}", f"{number}", "upper", photo(number))


def load(weights: Path, settings: Settings = SETTINGS) -> TryOffAnyone:
    return tryoffanyone.load(find(weights, tryoffanyone.FILES), Squares(), settings, torch.device("cpu"))


@pytest.fixture(scope="module")
def method(tryoffanyone_weights: Path) -> TryOffAnyone:
    return load(tryoffanyone_weights)


def sampled(method: TryOffAnyone, photos: list[Photo]) -> torch.Tensor:
    return method.sample(torch.stack([one.image for one in photos]), torch.stack([one.mask for one in photos]))


def test_latents_are_those_of_the_authors_code(method: TryOffAnyone) -> None:
    photos = [method.load(item(number)) for number in (0, 1)]
    np.testing.assert_allclose(fingerprint(sampled(method, photos)), AUTHORS, atol=1e-3)


def test_photos_and_masks_are_stretched(method: TryOffAnyone) -> None:
    found = method.load(item(0))
    assert found.image.shape == (3, 512, 384) and found.mask.shape == (1, 512, 384)
    expected = torch.from_numpy(np.array(photo(0).resize(SIZE))).permute(2, 0, 1) / 255 * 2 - 1
    assert torch.allclose(found.image, expected, atol=1e-6)
    assert set(found.mask.unique().tolist()) == {0.0, 1.0}


def test_a_photo_depends_neither_on_its_batch_nor_on_its_position(method: TryOffAnyone) -> None:
    photos = [method.load(item(number)) for number in (0, 1)]
    one, other = sampled(method, photos), sampled(method, photos[::-1])
    assert torch.allclose(one, other.flip(0), atol=1e-3)
    assert (one[0] - one[1]).abs().max() > 0.1


def test_the_seed_changes_the_garment(method: TryOffAnyone, tryoffanyone_weights: Path) -> None:
    photos = [method.load(item(0))]
    other = load(tryoffanyone_weights, Settings(3, 2.5, 37))
    assert (sampled(method, photos) - sampled(other, photos)).abs().max() > 0.1


def test_cross_attention_adds_the_normalised_input_and_needs_no_context() -> None:
    """The weights of attn2 have no effect, but those of norm2, whose output is added, do."""

    def output(change: str) -> torch.Tensor:
        unet = build_unet(inputs=9)
        tensors = seeded(unet, 7)
        for name in tensors:
            if change and change in name:
                tensors[name] = tensors[name] + 1
        unet.load_state_dict(tensors)
        processors = {
            name: one if name.endswith("attn1.processor") else tryoffanyone.SkippedAttention()
            for name, one in unet.attn_processors.items()
        }
        unet.eval().set_attn_processor(processors)  # type: ignore[arg-type]
        given = torch.randn(1, 9, 16, 16, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            return unet(given, 10, encoder_hidden_states=None).sample  # type: ignore[arg-type]

    assert torch.equal(output(""), output(".attn2."))
    assert not torch.allclose(output(""), output(".norm2."), atol=1e-4)


def test_the_checkpoint_numbers_blocks_from_down_to_up(tryoffanyone_weights: Path) -> None:
    unet = build_unet(inputs=9)
    path = tryoffanyone_weights / "model.safetensors"
    tensors = load_file(path)
    named = fine_tuned(tensors, unet, path)
    rest = "transformer_blocks.0.attn1.to_q.weight"
    places = ("down_blocks.2", "down_blocks.3", "mid_block", "up_blocks.0", "up_blocks.1")
    for number, block in enumerate(places):
        assert torch.equal(named[f"{block}.attentions.0.{rest}"], tensors[f"{number}.0.{rest}"])
    assert len(named) == len(tensors) and named.keys() <= unet.state_dict().keys()


def test_garments_are_put_on_white(method: TryOffAnyone) -> None:
    (garment,) = method.generate([item(0)], [method.load(item(0))])
    assert garment.size == SIZE and garment.mode == "RGB"
    assert np.asarray(garment).std() > 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("lacks", r"model.safetensors lacks 0.0.norm.bias, so it is not TryOffAnyone's checkpoint"),
        ("has", r"model.safetensors has 9.0.norm.bias, so it is not TryOffAnyone's checkpoint"),
    ],
)
def test_another_checkpoint_is_refused(change: str, sentence: str, tmp_path: Path, tryoffanyone_weights: Path) -> None:
    tensors = load_file(tryoffanyone_weights / "model.safetensors")
    value = tensors.pop("0.0.norm.bias") if change == "lacks" else tensors["0.0.norm.bias"]
    if change == "has":
        tensors["9.0.norm.bias"] = value.clone()
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(IGRError, match=sentence):
        fine_tuned(load_file(tmp_path / "model.safetensors"), build_unet(inputs=9), tmp_path / "model.safetensors")


def test_a_unet_that_is_not_for_inpainting_is_refused(tmp_path: Path, tryoffanyone_weights: Path) -> None:
    shutil.copytree(tryoffanyone_weights, tmp_path / "weights")
    path = tmp_path / "weights" / tryoffanyone.UNET.others[0]
    torch.save(seeded(build_unet(), 7), path)
    with pytest.raises(IGRError, match="has 4 input channels: use SD1.5's inpainting UNet"):
        load(tmp_path / "weights")
