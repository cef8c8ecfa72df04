"""Drawings of the model's view: every part is at its computed position."""

import dataclasses

import pytest
import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.overlay import CONTOUR, CROP, DARK, HATCH, OUTSIDE_MASK, OUTSIDE_VIEW, SIDE, VIEW, draw_view
from igr_core.photo.view import GarmentView, make_view

WHOLE, FOCUSED = ViewConfig("whole"), ViewConfig("focused", 0.25)
GARMENT = (300, 400, 500, 700)


def seen(view: ViewConfig, grey: float = 0.5, garment=GARMENT, width: int = 768, height: int = 1024) -> GarmentView:
    """A view of a plain photo, drawn at its own size when it is 768×1024; the mask is an ellipse in the box."""
    left, top, right, bottom = garment
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    ellipse = ((2 * x - left - right) / (right - left)) ** 2 + ((2 * y - top - bottom) / (bottom - top)) ** 2 <= 1
    photo = torch.full((1, 3, height, width), grey)
    return make_view(photo, ellipse.float()[None, None], (768, 1024), view)


def is_colour(picture: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """Pixels (H, W) of an image (1, 3, H, W) that have a colour."""
    return (picture[0] - torch.tensor(colour).view(3, 1, 1)).abs().amax(0) < 1e-3


def test_the_garment_keeps_its_colours_and_the_rest_is_darkened():
    picture = draw_view(seen(WHOLE))
    assert picture.shape == (1, 3, 1024, 768) and SIDE == 1024
    assert picture[0, :, 550, 400].tolist() == pytest.approx([0.5] * 3)
    assert picture[0, :, 100, 100].tolist() == pytest.approx([0.5 * OUTSIDE_MASK] * 3)


def test_a_contour_of_two_pixels_runs_around_the_mask_and_nowhere_else():
    view = seen(WHOLE)
    line = is_colour(draw_view(view), CONTOUR)
    assert view.photo_mask is not None
    mask = view.photo_mask
    ring = (torch.nn.functional.max_pool2d(mask, 5, stride=1, padding=2) - mask)[0, 0].bool()
    left, top, right, bottom = GARMENT
    assert not (line & ~ring).any()
    middle = (slice(top + 5, bottom - 5), slice(left + 5, right - 5))  # beyond it, the crop's box is on top
    assert ring[middle].sum() > 500 and torch.equal(line[middle], ring[middle])


@pytest.mark.parametrize("grey", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("colour", [CONTOUR, CROP, VIEW], ids=["contour", "crop", "view"])
def test_lines_are_visible_on_dark_and_light(grey: float, colour: tuple[float, float, float]):
    """At most three pixels from every pixel of a line, there is one with a very different luminance."""
    view = seen(FOCUSED, grey)
    assert view.photo_mask is not None
    picture = draw_view(view)
    line = is_colour(picture, colour) & (view.photo_mask[0, 0] == 0)  # a white garment is not a white line
    assert line.sum() > 200
    luminance = (picture * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)
    around = -torch.nn.functional.max_pool2d(-luminance, 7, stride=1, padding=3)
    assert ((luminance - around)[0][line] > 0.4).all()


def test_the_crops_box_is_drawn_around_the_masks_box():
    line = is_colour(draw_view(seen(WHOLE)), CROP)
    rows, columns = line.any(1).nonzero().flatten(), line.any(0).nonzero().flatten()
    left, top, right, bottom = GARMENT
    assert (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) == (
        left - 2,
        top - 2,
        right + 2,
        bottom + 2,
    )
    assert not line[top:bottom, left:right].any()


def test_the_area_outside_a_focused_view_is_nearly_black():
    view = seen(FOCUSED)
    picture = draw_view(view)
    left, top, right, bottom = view.placements[0].source_rect
    assert picture[0, 0, 20, 20] == pytest.approx(0.5 * OUTSIDE_VIEW)
    assert picture[0, 0, top + 10, left + 10] == pytest.approx(0.5 * OUTSIDE_MASK)
    assert picture[0, 0, top - 10, left - 10] == pytest.approx(0.5 * OUTSIDE_VIEW)
    line = is_colour(picture, VIEW)
    assert line[top - 2 : top, left:right].any() and line[top:bottom, right : right + 2].any()
    assert not line[top : top + 2, left:right].any()


def test_only_padding_is_hatched():
    picture = draw_view(seen(WHOLE, garment=(300, 200, 500, 500), height=600))  # 212 rows of padding on each side
    assert picture.shape == (1, 3, 1024, 768)
    padding = picture[0, 0, 20:190, 20:-20]
    assert padding.unique().tolist() == pytest.approx(HATCH) and (picture[0, :, 20:190, 20:-20] == padding).all()
    assert 0.4 < float((padding == padding.max()).float().mean()) < 0.6
    stripes = is_colour(picture, (HATCH[1],) * 3)
    assert not stripes[212:812].any()


def test_a_garment_at_the_border_is_drawn_without_leaving_the_image():
    picture = draw_view(seen(WHOLE, garment=(0, 0, 768, 1024)))
    assert picture.shape == (1, 3, 1024, 768) and 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert is_colour(picture, CROP)[:2].any() and is_colour(picture, CROP)[:, -2:].any()


@pytest.mark.parametrize("size", [(16, 16), (2000, 100), (32, 900), (200, 300)])
@pytest.mark.parametrize("view", [WHOLE, FOCUSED], ids=["whole", "focused"])
def test_every_shape_of_photo_is_drawn(size: tuple[int, int], view: ViewConfig):
    width, height = size
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 2, width // 2] = 1
    picture = draw_view(make_view(torch.rand(1, 3, height, width), mask, (96, 128), view))
    assert max(picture.shape) == SIDE and torch.isfinite(picture).all() and 0 <= picture.min() and picture.max() <= 1
    assert is_colour(picture, CROP).any()


def test_images_of_a_batch_have_one_frame():
    masks = torch.zeros(2, 1, 200, 300)
    masks[0, :, 5:30, 5:30] = masks[1, :, 150:195, 250:295] = 1
    both = make_view(torch.rand(2, 3, 200, 300), masks, (96, 128), FOCUSED)
    pictures = draw_view(both)
    assert pictures.shape[0] == 2 and not torch.equal(pictures[0], pictures[1])
    outside = is_colour(pictures[:1], (DARK,) * 3)
    assert outside[-5:, -5:].all()  # the second photo's view reaches there; for the first it is neither photo nor view


def test_a_stored_view_is_refused():
    view = dataclasses.replace(seen(WHOLE), photo=None, photo_mask=None)
    with pytest.raises(IGRError, match="create the view again with Garment Mask/Crop"):
        draw_view(view)
