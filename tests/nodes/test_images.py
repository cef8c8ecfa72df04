"""ComfyUI's IMAGE and MASK become the tensors of igr_core, and back."""

from __future__ import annotations

import pytest
import torch

from tests.support.nodes.pack import part

images = part("nodes.images")
IGRError = part("igr_core.errors").IGRError


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_one_three_and_four_channels_become_photos(channels: int) -> None:
    image = torch.rand(2, 8, 6, channels, dtype=torch.float64)
    photos = images.to_photos(image)
    assert photos.shape == (2, 3, 8, 6) and photos.dtype == torch.float32
    if channels == 3:
        assert torch.equal(images.to_image(photos), image.float())
    if channels == 1:
        assert torch.equal(photos[:, 0], photos[:, 2])


def test_transparency_is_flattened_on_white() -> None:
    image = torch.tensor([[[[0.2, 0.4, 0.6, 1.0], [0.2, 0.4, 0.6, 0.0], [0.2, 0.4, 0.6, 0.5]]]])
    expected = torch.tensor([[0.2, 1.0, 0.6], [0.4, 1.0, 0.7], [0.6, 1.0, 0.8]])
    assert torch.allclose(images.to_photos(image)[0, :, 0], expected)


def test_a_photo_that_is_transparent_under_its_mask_is_refused() -> None:
    """Over white, the garment would vanish."""
    image, mask = torch.rand(2, 8, 6, 4), torch.zeros(2, 1, 8, 6)
    image[..., 3], mask[:, :, 2:6, 2:4] = 1, 1
    images.check_opaque(image, mask)
    image[1, 2:6, 2:4, 3] = 0
    with pytest.raises(IGRError, match="Photo 2 is transparent where its mask is white: connect the photo without"):
        images.check_opaque(image, mask)
    images.check_opaque(image[..., :3], mask)
    images.check_opaque(image[:1], mask[:1])


@pytest.mark.parametrize("shape", [(1, 8, 6, 2), (8, 6, 3), (1, 3, 8, 5)])
def test_other_shapes_are_refused_with_the_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(IGRError, match="connect an IMAGE with 1, 3 or 4 channels"):
        images.to_photos(torch.zeros(shape))


def test_overshoot_of_resizing_is_clamped() -> None:
    image = torch.tensor([-0.2, 0.5, 1.2]).expand(1, 4, 4, 3)
    assert images.to_photos(image)[0, :, 0, 0].tolist() == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(("low", "high", "remedy"), [(0, 255, "divide them by 255"), (-1, 1, r"with \(x \+ 1\) / 2")])
def test_images_in_another_range_are_refused(low: float, high: float, remedy: str) -> None:
    image = torch.linspace(low, high, 48).reshape(1, 4, 4, 3)
    with pytest.raises(IGRError, match=remedy):
        images.to_photos(image)


def test_no_image_at_all_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        IGRError, match="image has no pixels .*connect at least one image whose height and width are not zero"
    ):
        images.to_photos(torch.zeros(0, 8, 6, 3))


@pytest.mark.parametrize("shape", [(8, 6), (1, 8, 6), (2, 8, 6)])
def test_masks_are_taken_as_they_are(shape: tuple[int, ...]) -> None:
    mask = torch.rand(shape)
    mask[..., 0, 0] = 1
    masks = images.to_masks(mask, torch.rand(2, 3, 8, 6))
    assert torch.equal(masks, mask.reshape(-1, 1, 8, 6))


@pytest.mark.parametrize("mask", [None, torch.zeros(1, 64, 64), images.no_mask()], ids=["none", "Load Image's", "ours"])
def test_a_missing_mask_is_recognised(mask: torch.Tensor | None) -> None:
    assert images.to_masks(mask, torch.rand(2, 3, 8, 6)) is None


def test_an_empty_mask_of_the_photos_own_size_is_no_missing_one() -> None:
    masks = images.to_masks(torch.zeros(1, 64, 64), torch.rand(1, 3, 64, 64))
    assert not masks.any()


@pytest.mark.parametrize("shape", [(1, 0, 64), (64, 0), (6,), (2, 0, 0)])
def test_a_mask_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        IGRError, match=r"mask has no pixels \(its shape is .*connect a mask whose height and width are not zero"
    ):
        images.to_masks(torch.zeros(shape), torch.rand(1, 3, 8, 6))


def test_a_half_opaque_mask_is_brightened_and_a_label_map_with_one_label_too() -> None:
    drawn = torch.zeros(2, 8, 6)
    drawn[0, 2:6, 1:4], drawn[1, 3:7, 1:4] = 0.5, 1 / 255
    masks = images.to_masks(drawn, torch.rand(2, 3, 8, 6))
    assert torch.equal(masks[:, 0], (drawn > 0).float())


def test_a_label_map_with_several_labels_is_refused() -> None:
    labels = torch.zeros(1, 8, 6)
    labels[0, :4], labels[0, 4:6] = 3 / 255, 7 / 255
    with pytest.raises(IGRError, match="almost black.*label"):
        images.to_masks(labels, torch.rand(1, 3, 8, 6))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_images_that_are_not_finite_are_refused(value: float) -> None:
    image = torch.rand(1, 8, 6, 3)
    image[0, 3, 3, 1] = value
    with pytest.raises(IGRError, match="image contains NaN or infinite values"):
        images.to_photos(image)
