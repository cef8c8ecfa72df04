"""Laying garments out with known maps: pixels, outlines, several photos."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from igr_core.detail.warping import source_photos
from igr_core.errors import IGRError
from igr_core.flatten.flat import FlatMap, Worn, complete, flat_evidence, flat_garments, flatten, lay_out, worn
from igr_core.flatten.network import Flattened, FlattenerConfig, coordinates
from igr_core.flatten.outlines import Shape
from igr_core.model.config import ViewConfig
from igr_core.photo.view import GarmentView, make_view

WIDTH, HEIGHT = 48, 64
LEFT, RIGHT, TOP, BOTTOM = 12, 36, 16, 48


class Copying(nn.Module):
    """Predicts that the flat garment lies where the mask is, shifted right by `shift` of the width."""

    config = FlattenerConfig((WIDTH, HEIGHT), (8, 8, 16, 16), layers=1, heads=2)
    outlines = None

    def __init__(self, shift: float = 0.0, visible: float = 9.0, light: float = 0.0) -> None:
        super().__init__()
        self.shift, self.visible, self.light = nn.Parameter(torch.tensor(shift)), visible, light

    def forward(self, photo: Tensor, category: Tensor) -> Flattened:
        cells = photo[:, :1, ::4, ::4]
        place = coordinates(cells) / 2 + 0.5 + torch.stack([self.shift, torch.zeros(())]).view(1, 2, 1, 1)
        logits, light = (photo[:, 3:] * 2 - 1) * 9, torch.full_like(cells, self.light)
        return Flattened(place, torch.full_like(cells, 0.01), torch.full_like(cells, self.visible), logits, light, ())


def striped() -> tuple[Tensor, Tensor]:
    """A photo (1, 3, H, W) with a garment of wide stripes, and its mask."""
    photo = torch.full((1, 3, HEIGHT, WIDTH), 0.5)
    for number, x in enumerate(range(LEFT, RIGHT, 8)):
        photo[:, :, TOP:BOTTOM, x : x + 8] = torch.tensor([0.9, 0.1, 0.1] if number % 2 else [0.1, 0.2, 0.8]).view(
            3, 1, 1
        )
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., TOP:BOTTOM, LEFT:RIGHT] = 1
    return photo, mask


def view_of(photo: Tensor, mask: Tensor) -> GarmentView:
    return make_view(photo, mask, (WIDTH, HEIGHT), ViewConfig(), 16)


class OneOutline:
    """Outlines that fit every garment with one, whose inside is its upper half."""

    def fitted(self, opacity: Tensor, visible: Tensor, category: int) -> Shape:
        own = torch.full_like(opacity, -9.0)
        own[:, 8:56, 8:40] = 9
        inside = torch.zeros_like(opacity)
        inside[:, 8:32, 8:40] = 1
        return Shape(own, inside)


@pytest.fixture
def view() -> GarmentView:
    return view_of(*striped())


def test_all_photos_of_a_garment_get_its_fitted_outline(view: GarmentView) -> None:
    network = Copying()
    network.outlines = OneOutline()
    (garment,) = flat_garments(network, source_photos(view) * 2, ["upper"], [(0, 1)])
    assert len(garment.maps) == 2 and all(float(one.opacity[0, 10, 10]) == 9 for one in garment.maps)
    flat = garment.laid_out((WIDTH, HEIGHT))
    assert float(flat.opacity[0, 12, 12]) > 0.99 and float(flat.opacity[0, 2, 2]) < 0.01


def test_the_inside_is_hidden_and_in_the_shade(view: GarmentView) -> None:
    network = Copying()
    (outside,) = flat_garments(network, source_photos(view), ["upper"], [(0,)])
    network.outlines = OneOutline()
    (garment,) = flat_garments(network, source_photos(view), ["upper"], [(0,)])
    flat, plain = garment.laid_out((WIDTH, HEIGHT)), outside.laid_out((WIDTH, HEIGHT))
    inside, front = (slice(None), slice(20, 28), slice(16, 32)), (slice(None), slice(36, 44), slice(16, 32))
    assert float(flat.known[inside].max()) < 0.01 < 0.9 < float(plain.known[inside].min())
    assert float(flat.known[front].min()) > 0.9
    assert 0.5 < float(flat.image[inside].mean() / plain.image[inside].mean()) < 0.85


def laid_out(network: nn.Module, view: GarmentView, size: tuple[int, int] = (WIDTH, HEIGHT)):
    shown, maps = flattened(network, view)
    return lay_out(maps, shown, size)


def flattened(network: nn.Module, *views: GarmentView, category: str = "upper") -> tuple[list[Worn], list[FlatMap]]:
    shown = worn(network, [photo for view in views for photo in source_photos(view)])  # type: ignore[arg-type]
    return shown, flatten(network, shown, [category] * len(shown))  # type: ignore[arg-type]


def inner(mask: Tensor, reach: int) -> Tensor:
    """A mask (1, H, W), shrunk by `reach` pixels: bool (H, W)."""
    around = nn.functional.max_pool2d(1 - mask[None], 2 * reach + 1, stride=1, padding=reach)
    return (around < 0.5)[0, 0]


def test_the_flat_garment_consists_of_the_photos_pixels_on_white(view: GarmentView) -> None:
    shown, maps = flattened(Copying(), view)
    flat = lay_out(maps, shown, (WIDTH, HEIGHT))
    inside = inner(shown[0].view[3:], 3)
    assert (flat.image - shown[0].view[:3])[:, inside].abs().mean() < 0.02
    assert flat.known[0, inside].min() > 0.9 and flat.hidden[0, inside].max() < 0.1
    assert (flat.image[:, 0] == 1).all() and (flat.opacity[:, 0] == 0).all()


def test_a_larger_image_has_the_photos_resolution_and_a_sharp_outline() -> None:
    large = [nn.functional.interpolate(image, scale_factor=4, mode="nearest") for image in striped()]
    shown, maps = flattened(Copying(), view_of(*large))
    flat = lay_out(maps, shown, (4 * WIDTH, 4 * HEIGHT))
    row, wanted = flat.opacity[0, 2 * HEIGHT], float(shown[0].view[3, HEIGHT // 2].sum())
    assert ((row > 0.05) & (row < 0.95)).sum() <= 6  # a few pixels at each side
    assert abs(float(row.sum()) / 4 - wanted) < 1.5
    cloth = inner(flat.opacity, 12)[2 * HEIGHT]
    assert flat.image[0, 2 * HEIGHT].diff().abs()[cloth[1:]].max() > 0.2  # a stripe's edge is not blurred


def test_pixels_are_brought_to_even_light(view: GarmentView) -> None:
    dark, bright, glaring = (laid_out(Copying(light=light), view).image for light in (0.0, 0.3, 9.0))
    inside = (slice(None), slice(TOP + 4, BOTTOM - 4), slice(LEFT + 4, RIGHT - 4))
    assert ((bright + 0.05) / (dark + 0.05))[inside].median() == pytest.approx(math.exp(0.3), rel=1e-3)
    assert ((glaring + 0.05) / (dark + 0.05))[inside].median() == pytest.approx(math.exp(0.7), rel=1e-3)  # the limit


def test_what_no_photo_shows_is_hidden(view: GarmentView) -> None:
    flat = laid_out(Copying(visible=-9.0), view)
    assert flat.known.max() < 1e-3 and flat.hidden.sum() == pytest.approx(float(flat.opacity.sum()), rel=1e-2)


def test_hidden_parts_come_from_the_restored_image_and_visible_ones_do_not(view: GarmentView) -> None:
    restored = torch.rand(3, HEIGHT, WIDTH)
    shown, hidden = (laid_out(Copying(visible=value), view) for value in (9.0, -9.0))
    inside = (slice(None), slice(TOP + 4, BOTTOM - 4), slice(LEFT + 4, RIGHT - 4))
    assert (complete(shown, restored) - shown.image)[inside].abs().max() < 0.15
    torch.testing.assert_close(complete(hidden, restored)[inside], restored[inside], atol=0.02, rtol=0)
    assert (complete(hidden, restored)[:, :8] == 1).all()


def test_the_map_of_a_photo_and_of_its_mirror_image_are_averaged(view: GarmentView) -> None:
    _, (found,) = flattened(Copying(shift=0.2), view)
    centre = coordinates(found.flow.place[None])[0] / 2 + 0.5
    torch.testing.assert_close(found.flow.place, centre)  # the shift of one cancels that of the other


def test_the_silhouette_is_symmetric() -> None:
    photo, mask = striped()
    mask[..., TOP:BOTTOM, RIGHT:] = 1  # a longer sleeve on the right
    _, (found,) = flattened(Copying(), view_of(photo, mask))
    torch.testing.assert_close(found.opacity, found.opacity.flip(-1))


def test_each_part_comes_from_the_photo_that_shows_it(view: GarmentView) -> None:
    photo, mask = striped()
    green = view_of(torch.where(mask > 0.5, torch.tensor([0.1, 0.8, 0.1]).view(1, 3, 1, 1), photo), mask)
    shown, maps = flattened(Copying(), view, green)
    half = torch.ones(maps[0].visible.shape)
    half[:, half.shape[1] // 2 :] = 0
    maps = [replace(one, visible=one.visible * weight) for one, weight in zip(maps, (half, 1 - half), strict=True)]
    flat = lay_out(maps, shown, (WIDTH, HEIGHT))
    left, right = inner(shown[0].view[3:], 3), inner(shown[0].view[3:], 3)
    left[:, WIDTH // 2 - 4 :] = False
    right[:, : WIDTH // 2 + 4] = False
    assert (flat.image - shown[0].view[:3])[:, left].abs().mean() < 0.05
    assert flat.image[1, right].min() > 0.7 and flat.image[0, right].max() < 0.3
    evidence = flat_evidence(maps)
    assert evidence.best[8, 4] == 0 and evidence.best[8, 7] == 1 and evidence.visible[8, 4:8].min() > 0.9


def test_another_aspect_ratio_or_category_is_refused(view: GarmentView) -> None:
    with pytest.raises(IGRError, match="would stretch"):
        laid_out(Copying(), view, (64, 64))
    with pytest.raises(IGRError, match="category"):
        flattened(Copying(), view, category="hat")


def test_the_network_sees_the_same_whatever_the_view(view: GarmentView) -> None:
    other = make_view(*striped(), (64, 64), ViewConfig("focused", 0.4), 16)
    (one,), (again,) = (flattened(Copying(), some)[0] for some in (view, other))
    assert torch.equal(one.view, again.view)
