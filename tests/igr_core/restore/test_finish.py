"""Layout of a restored garment."""

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.restore.finish import Finish, finish_garment, parse_colour


def garment(height: int = 128, width: int = 96) -> torch.Tensor:
    """A dark rectangle in a corner, on white."""
    image = torch.ones(1, 3, height, width)
    image[..., 8:72, 8:40] = 0.2
    return image


def visible_box(alpha: torch.Tensor) -> tuple[int, int, int, int]:
    rows, columns = (alpha[0, 0] >= 0.5).any(1).nonzero(), (alpha[0, 0] >= 0.5).any(0).nonzero()
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize(("aspect", "size"), [("3:4", (96, 128)), ("1:1", (128, 128)), ("as it is", (96, 128))])
def test_the_garment_fills_the_canvas_up_to_its_margin(aspect: str, size: tuple[int, int]):
    image, alpha = finish_garment(garment(), Finish(aspect=aspect, margin=0.125))
    assert (image.shape[-1], image.shape[-2]) == size == (alpha.shape[-1], alpha.shape[-2])
    left, top, right, bottom = visible_box(alpha)
    assert (top, bottom) == (16, 112)  # the longer side touches the margin
    assert abs((left + right) - size[0]) <= 1
    assert abs((right - left) - 48) <= 2


def test_the_background_has_its_colour_and_the_garment_keeps_its_own():
    image, alpha = finish_garment(garment(), Finish(background=(0.0, 0.5, 1.0)))
    assert torch.allclose(image[0, :, 0, 0], torch.tensor([0.0, 0.5, 1.0]))
    assert torch.allclose(image[0, :, 64, 48], torch.tensor(0.2), atol=1e-3) and alpha[0, 0, 64, 48] == 1


def test_without_trimming_the_image_keeps_its_place():
    _, alpha = finish_garment(garment(), Finish(aspect="as it is", margin=0.0, trim=False))
    assert visible_box(alpha) == (8, 8, 40, 72)


def test_an_image_without_a_garment_stays_background():
    image, alpha = finish_garment(torch.ones(1, 3, 64, 48), Finish())
    assert (image == 1).all() and (alpha == 0).all()


def test_colours():
    assert parse_colour("#ff0000") == (1, 0, 0) and parse_colour("fff") == (1, 1, 1)
    with pytest.raises(IGRError, match="#rrggbb"):
        parse_colour("red")
    with pytest.raises(IGRError, match="aspect"):
        finish_garment(garment(), Finish(aspect="2:1"))
