"""Photo geometry (paper section 3.2): exact mappings, contents of the crop, batches."""

import time

import pytest
import torch

from igr_core.model.config import ViewConfig
from igr_core.photo.masks import mask_box
from igr_core.photo.view import Placement, latent_mask, make_view, place, unfit

WHOLE, FOCUSED = ViewConfig("whole"), ViewConfig("focused", 0.25)
SIZE = (96, 128)


def photo(width: int, height: int, box: tuple[int, int, int, int], count: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Random photos and a mask that is 1 in the box (left, top, right, bottom)."""
    generator = torch.Generator().manual_seed(width * 10007 + height)
    mask = torch.zeros(1, 1, height, width)
    mask[..., box[1] : box[3], box[0] : box[2]] = 1
    return torch.rand(count, 3, height, width, generator=generator), mask


SHAPES = {
    "portrait": (300, 400, (90, 100, 200, 250)),
    "landscape": (400, 300, (10, 100, 120, 290)),
    "panorama": (2000, 100, (900, 10, 960, 90)),
    "tower": (32, 900, (5, 300, 30, 500)),
    "small photo": (16, 16, (4, 4, 9, 12)),
    "at the corner": (300, 300, (250, 0, 300, 60)),
    "one pixel wide": (200, 300, (57, 40, 58, 260)),
    "one pixel": (200, 300, (57, 40, 58, 41)),
    "everything": (200, 300, (0, 0, 200, 300)),
}
everywhere = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
both_views = pytest.mark.parametrize("view", [WHOLE, FOCUSED], ids=["whole", "focused"])


@everywhere
@both_views
def test_points_come_back_and_corners_meet(shape, view):
    width, height, box = shape
    placement = place(box, (width, height), SIZE, view)
    points = torch.rand(50, 2, dtype=torch.float64) * torch.tensor([width, height])
    assert torch.allclose(placement.to_source(placement.to_canvas(points)), points, atol=1e-9)
    corners = torch.tensor([placement.box[:2], placement.box[2:]], dtype=torch.float64)
    assert torch.allclose(placement.to_canvas(corners), torch.tensor([[0, 0], SIZE], dtype=torch.float64), atol=1e-9)


@everywhere
@both_views
def test_the_garment_is_in_view_and_keeps_its_proportions(shape, view):
    width, height, box = shape
    placement = place(box, (width, height), SIZE, view)
    left, top, right, bottom = placement.source_rect
    assert 0 <= left <= box[0] and 0 <= top <= box[1] and box[2] <= right <= width and box[3] <= bottom <= height
    scale_x, scale_y = (placement.to_canvas(torch.eye(2)) - placement.to_canvas(torch.zeros(2))).diagonal().tolist()
    # rectangles have whole pixels, so the two scales may differ by one pixel over the shorter side
    shortest = min(*_sides(placement.canvas_rect), *_sides(placement.source_rect))
    assert abs(scale_x / scale_y - 1) <= 1.5 / shortest


def _sides(rect):
    return rect[2] - rect[0], rect[3] - rect[1]


def test_focused_box_has_the_margin_around_the_garment():
    placement = place((90, 100, 200, 250), (300, 400), SIZE, FOCUSED)
    left, top, right, bottom = placement.box
    margin = 0.25 * 150
    assert left <= 90 - margin + 1 and top <= 100 - margin + 1
    assert right >= 200 + margin - 1 and bottom >= 250 + margin - 1
    assert (left + right) / 2 == pytest.approx(145, abs=1) and (top + bottom) / 2 == pytest.approx(175, abs=1)
    assert (right - left) / (bottom - top) == pytest.approx(SIZE[0] / SIZE[1], abs=0.01)


def test_whole_view_of_the_same_aspect_has_no_padding():
    placement = place((1, 1, 5, 5), (300, 400), SIZE, WHOLE)
    assert placement == Placement((0, 0, 300, 400), (0, 0, *SIZE), (300, 400), SIZE)
    assert placement.box == (0, 0, 300, 400)


@everywhere
@both_views
def test_shapes_range_and_padding(shape, view):
    person, mask = photo(*shape)
    seen = make_view(person, mask, SIZE, view, crop_size=32)
    assert seen.person.shape == (1, 3, 128, 96) and seen.mask.shape == (1, 1, 128, 96)
    assert seen.crop.shape == (1, 3, 32, 32)
    for image in (seen.person, seen.mask, seen.crop):
        assert image.min() >= 0 and image.max() <= 1
    left, top, right, bottom = seen.placements[0].canvas_rect
    padding = torch.ones(128, 96, dtype=torch.bool)
    padding[top:bottom, left:right] = False
    assert (seen.person[0][:, padding] == 1).all() and (seen.mask[0][:, padding] == 0).all()
    assert seen.crop.sum() > 0


@everywhere
@both_views
def test_a_constant_image_stays_constant(shape, view):
    _, mask = photo(*shape)
    grey = torch.full((1, 3, *mask.shape[-2:]), 0.25)
    seen = make_view(grey, mask, SIZE, view, crop_size=32)
    left, top, right, bottom = seen.placements[0].canvas_rect
    assert torch.allclose(seen.person[..., top:bottom, left:right], torch.tensor(0.25), atol=1e-5)
    assert torch.allclose(unfit(seen.person, seen)[0], torch.tensor(0.25), atol=1e-5)


@both_views
def test_photo_and_mask_stay_aligned(view):
    _, mask = photo(400, 300, (120, 60, 250, 200))
    painted = mask.expand(-1, 3, -1, -1).contiguous()  # white garment on black
    seen = make_view(painted, mask, SIZE, view)
    left, top, right, bottom = seen.placements[0].canvas_rect
    inner = (..., slice(top, bottom), slice(left, right))
    assert (seen.person[inner].mean(1, keepdim=True) - seen.mask[inner]).abs().max() < 0.15  # bicubic against bilinear
    corners = torch.tensor([[120.0, 60.0], [250.0, 200.0]])
    expected = seen.placements[0].to_canvas(corners).flatten().tolist()
    assert list(mask_box(seen.mask)) == pytest.approx(expected, abs=1)


@both_views
def test_a_batch_is_its_photos_one_by_one(view):
    persons, _ = photo(120, 160, (0, 0, 1, 1), count=3)
    masks = torch.zeros(3, 1, 160, 120)
    for index, (x, y) in enumerate([(10, 20), (60, 80), (100, 5)]):
        masks[index, :, y : y + 40, x : x + 15] = 1
    batch = make_view(persons, masks, SIZE, view, crop_size=32)
    for index in range(3):
        one = make_view(persons[index : index + 1], masks[index : index + 1], SIZE, view, crop_size=32)
        assert torch.equal(batch.person[index], one.person[0]) and torch.equal(batch.crop[index], one.crop[0])
        assert batch.placements[index] == one.placements[0]
    shared = make_view(persons, masks[:1], SIZE, view, crop_size=32)
    assert torch.equal(shared.crop[0], batch.crop[0]) and shared.placements[2] == batch.placements[0]


def test_crop_contains_only_the_masked_photo():
    person, mask = photo(100, 120, (20, 30, 52, 62))
    mask[..., 40:50, 30:40] = 0  # a hole
    crop = make_view(person, mask, SIZE, WHOLE, crop_size=32).crop
    assert torch.equal(crop, (person * mask)[..., 30:62, 20:52])  # same size, so no resizing
    other = torch.where(mask.bool(), person, torch.rand_like(person))
    assert torch.equal(make_view(other, mask, SIZE, WHOLE, crop_size=32).crop, crop)


def test_crop_of_a_tall_garment_is_centred_in_a_black_square():
    person, mask = photo(100, 120, (20, 30, 30, 70))
    crop = make_view(person, mask, SIZE, WHOLE, crop_size=32).crop
    assert (crop[..., :12] == 0).all() and (crop[..., 20:] == 0).all() and (crop[..., 12:20] > 0).any()


@both_views
def test_unfit_returns_the_visible_part_of_the_photo(view):
    smooth = torch.linspace(0, 1, 300).expand(1, 3, 200, 300).contiguous()
    _, mask = photo(300, 200, (100, 50, 180, 150))
    seen = make_view(smooth, mask, (192, 256), view)
    back = unfit(seen.person, seen)
    left, top, right, bottom = seen.placements[0].source_rect
    assert len(back) == 1 and back[0].shape == (3, bottom - top, right - left)
    assert (back[0] - smooth[0, :, top:bottom, left:right])[..., 3:-3].abs().max() < 0.02
    assert unfit(torch.rand(1, 3, 512, 384), seen)[0].shape == back[0].shape  # an upscaled garment maps back too


def test_twelve_megapixels_are_quick():
    person, mask = photo(4000, 3000, (1000, 500, 2500, 2500))
    start = time.perf_counter()
    for view in (WHOLE, FOCUSED):
        make_view(person, mask, (768, 1024), view)
    assert time.perf_counter() - start < 15


def test_latent_mask_averages_areas() -> None:
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :4] = 1
    assert latent_mask(mask, 8).tolist() == [[[[0.5, 0.0], [0.5, 0.0]]]]
