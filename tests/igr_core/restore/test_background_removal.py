"""Removing the white background of a garment."""

import pytest
import torch

from igr_core.restore.background_removal import cutout_warnings, garment_alpha, to_rgba


def garment(colour: float, height: int = 96, width: int = 80) -> torch.Tensor:
    """A rectangle of one colour with a white window, on white."""
    image = torch.ones(1, 3, height, width)
    image[..., 20:-20, 20:-20] = colour
    image[..., 40:50, 35:45] = 1
    return image


@pytest.mark.parametrize("colour", [0.0, 0.5, 0.9])
def test_inside_is_opaque_and_background_is_clear(colour: float):
    alpha = garment_alpha(garment(colour))
    expected = torch.zeros(96, 80)
    expected[20:-20, 20:-20] = 1
    assert torch.equal(alpha[0, 0], expected)  # the enclosed white window included


def test_background_that_reaches_in_is_clear():
    image = garment(0.3, 600, 500)
    image[..., 300:, 240:244] = 1  # a slit open to the border, narrower than a coarse cell and longer than wide
    image[..., 300:303, 100:240] = 1  # and a branch of it
    alpha = garment_alpha(image)
    assert (alpha[..., 310:570, 240:244] == 0).all() and (alpha[..., 301, 110:230] == 0).all()
    assert (alpha[..., 40:50, 35:45] == 1).all()


def test_a_thin_outline_keeps_a_white_garment_opaque_in_a_large_image():
    image = torch.ones(1, 3, 1024, 768)
    image[..., 101:900, 101:600] = 0.3
    image[..., 102:899, 102:599] = 1
    alpha = garment_alpha(image)
    assert (alpha[..., 105:895, 105:595] == 1).all() and (alpha[..., :100, :] == 0).all()


def test_soft_edges_give_partial_alpha_and_composite_back():
    image = garment(0.2)
    image[..., 20:-20, 19] = 0.6  # half garment, half white
    rgba = to_rgba(image)
    alpha, colour = rgba[:, 3:], rgba[:, :3]
    assert alpha[0, 0, 48, 19] == pytest.approx(0.5, abs=0.01)
    assert torch.allclose(colour[0, :, 48, 19], torch.tensor(0.2), atol=0.01)
    assert torch.allclose(colour * alpha + (1 - alpha), image, atol=0.01)


def test_noise_and_specks_on_the_background_are_dropped():
    generator = torch.Generator().manual_seed(0)
    image = (garment(0.4) - 0.03 * torch.rand(1, 3, 96, 80, generator=generator)).clamp(0, 1)
    image[..., 5, 5:7] = 0.2
    alpha = garment_alpha(image)
    assert (alpha[..., :18, :] == 0).all() and (alpha[..., 23:37, 23:-23] == 1).all()


def test_empty_images_and_images_full_of_garment():
    assert (garment_alpha(torch.ones(1, 3, 64, 64)) == 0).all()
    assert (garment_alpha(torch.full((1, 3, 64, 64), 0.3)) == 1).all()


def test_a_garment_that_touches_the_border_is_kept():
    image = torch.ones(1, 3, 64, 64)
    image[..., 30:, 10:50] = 0.5
    alpha = garment_alpha(image)
    assert (alpha[..., 34:, 14:46] == 1).all() and (alpha[..., :28, :] == 0).all()


def test_a_batch_is_its_images_one_by_one():
    batch = torch.cat([garment(0.1), garment(0.8), torch.ones(1, 3, 96, 80)])
    together = to_rgba(batch)
    assert together.shape == (3, 4, 96, 80)
    for index in range(3):
        assert torch.equal(together[index], to_rgba(batch[index : index + 1])[0])


@pytest.mark.parametrize("noise", [0, 0.01])
def test_a_background_that_is_not_white_is_reported(noise: float):
    generator = torch.Generator().manual_seed(0)
    image = torch.full((1, 3, 96, 80), 0.93)
    image[..., 20:-20, 20:-20] = 0.5
    image += noise * torch.randn(image.shape, generator=generator)
    (sentence,) = cutout_warnings(image, garment_alpha(image))
    assert sentence.startswith(f"No white background was found along {99 if noise else 100}% of the image border, so")
    cut_off = torch.ones(1, 3, 64, 64)
    cut_off[..., 30:, :] = 0.5  # touches three sides
    for whole in (cut_off, garment(0.5)):
        assert cutout_warnings(whole, garment_alpha(whole)) == ()
