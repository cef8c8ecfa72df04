"""Squares, noise and images of TryOffDiff, against the arithmetic of the authors' code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from igr_core.errors import IGRError
from tests.support.models.tiny_rivals import photo
from training.baselines.square_diffusion import LATENT, SIDE, Adapter, NoiseStream, square, to_image


@pytest.mark.parametrize("size", [(73, 97), (97, 73), (97, 97), (600, 513)])
def test_a_photo_is_padded_and_resized_as_by_the_authors_transforms(size: tuple[int, int]) -> None:
    transforms = pytest.importorskip("torchvision.transforms.v2")
    image = photo(0).resize(size)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    width, height = size
    across, down = max(size) - width, max(size) - height
    padding = [across // 2, down // 2, across - across // 2, down - down // 2]
    padded = transforms.functional.pad(pixels, padding, padding_mode="edge")
    resized = transforms.functional.resize(padded, [SIDE, SIDE])
    expected = transforms.functional.normalize(resized.float() / 255, [0.5], [0.5])
    assert torch.equal(square(image), expected)


def test_odd_padding_has_its_larger_half_on_the_right() -> None:
    image = Image.new("RGB", (SIDE - 3, SIDE), "black")
    image.putpixel((0, 0), (255, 255, 255))
    image.putpixel((SIDE - 4, 0), (255, 0, 0))
    row = square(image)[:, 0]  # (3, SIDE), of the original pixels: nothing was resized
    assert row[:, :2].eq(1).all() and row[:, 2].eq(-1).all()
    assert row[0, -3:].eq(1).all() and row[1, -3:].eq(-1).all() and row[0, -4].eq(-1)


def test_other_modes_than_rgb_are_converted() -> None:
    assert torch.equal(square(photo(0).convert("RGBA")), square(photo(0)))


def test_noise_is_a_stream_over_the_data_set_for_any_batches() -> None:
    generator = torch.Generator().manual_seed(42)
    whole = torch.cat([torch.randn(2, *LATENT, generator=generator) for _ in range(3)])  # drawn in batches of two
    noise = NoiseStream(42)
    assert torch.equal(noise.at([0, 1, 2]), whole[:3])
    assert torch.equal(noise.at([5]), whole[5:])  # the photos between were done before
    assert torch.equal(noise.at([3, 1, 1]), whole[[3, 1, 1]])
    assert not torch.equal(NoiseStream(43).at([0]), whole[:1])


def test_images_are_stretched_to_the_whole_range() -> None:
    decoded = torch.linspace(-0.5, 2.5, 3 * 4 * 4).reshape(3, 4, 4)  # values above 1 are not clipped first
    pixels = np.asarray(to_image(decoded))
    assert pixels.min() == 0 and pixels.max() == 255
    expected = (torch.linspace(0, 1, 48) * 255 + 0.5).to(torch.uint8).reshape(3, 4, 4).permute(1, 2, 0)
    assert np.abs(pixels.astype(int) - expected.numpy()).max() <= 1
    assert np.asarray(to_image(torch.zeros(3, 4, 4))).max() == 0  # one colour only: no division by zero


def test_nan_is_reported() -> None:
    with pytest.raises(IGRError, match="NaN or infinite values, so its weights are damaged"):
        to_image(torch.full((3, 4, 4), torch.nan))


@pytest.mark.parametrize("feed_forward", [None, 64])
def test_the_adapter_maps_tokens_to_slots(feed_forward: int | None) -> None:
    torch.manual_seed(0)
    adapter = Adapter(tokens=16, slots=5, width=24, feed_forward=feed_forward).eval()
    context = adapter(torch.randn(2, 16, 24))
    assert context.shape == (2, 5, 24)
    assert context.detach().mean(-1).abs().max() < 1e-5  # the norm is last, over channels
