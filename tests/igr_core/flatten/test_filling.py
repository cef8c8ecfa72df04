"""Filling: known pixels do not change, and the others are filled smoothly from them."""

import pytest
import torch

from igr_core.flatten.filling import blend, fill


def known_left(width: int = 40) -> torch.Tensor:
    known = torch.zeros(1, 30, width)
    known[..., : width // 2] = 1
    return known


def test_what_is_known_stays_and_one_colour_fills_the_rest() -> None:
    image = torch.rand(3, 30, 40)
    image[..., :20] = torch.tensor([0.2, 0.5, 0.9])[:, None, None]
    filled = fill(image, known_left())
    torch.testing.assert_close(filled, torch.tensor([0.2, 0.5, 0.9])[:, None, None].expand(3, 30, 40))


def test_known_pixels_are_unchanged_and_unknown_ones_lie_between_them() -> None:
    image, known = torch.rand(3, 37, 53), (torch.rand(1, 37, 53) < 0.1).float()
    filled = fill(image, known)
    torch.testing.assert_close(filled * known, image * known)
    seen = image[:, known[0] > 0]
    assert (filled >= seen.amin(1)[:, None, None] - 1e-5).all() and (filled <= seen.amax(1)[:, None, None] + 1e-5).all()


def test_an_unknown_pixel_has_the_colour_of_its_surroundings() -> None:
    image = torch.arange(40.0).view(1, 1, 40).expand(1, 40, 40).clone() / 40
    known = torch.ones(1, 40, 40)
    known[..., 15:25, 15:25] = 0
    assert (fill(image, known) - image).abs().max() < 0.08


def test_without_anything_known_the_result_is_black() -> None:
    assert fill(torch.rand(3, 20, 20), torch.zeros(1, 20, 20)).abs().max() == 0


def test_blending_keeps_the_detail_of_the_one_and_the_colours_of_the_other() -> None:
    detail = torch.rand(1, 30, 40) * 0.2
    own = detail + 0.5  # the same picture, brighter
    torch.testing.assert_close(blend(detail, own, known_left()), own)


@pytest.mark.parametrize("known", [0.0, 1.0])
def test_blending_with_all_or_nothing(known: float) -> None:
    image, own = torch.rand(3, 16, 12), torch.rand(3, 16, 12)
    torch.testing.assert_close(blend(image, own, torch.full((1, 16, 12), known)), own if known else image)
