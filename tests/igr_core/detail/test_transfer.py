"""Transferring a photo's detail to a garment along a known map."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from igr_core.detail.evidence import Evidence
from igr_core.detail.flow import Flow
from igr_core.detail.transfer import Transfer, transfer_details
from igr_core.detail.warping import SourcePhoto
from igr_core.errors import IGRError
from igr_core.photo.view import Placement

LARGE, SMALL, CELLS = (384, 512), (96, 128), (24, 32)
"""Width and height of the true garment, the restored garment, and the evidence."""
SHIFT, SCALE = 0.1, 0.8
"""The photo shows the garment smaller and shifted: view = SHIFT + SCALE * garment."""


def garment() -> torch.Tensor:
    """A blue tee with lettering: (3, 512, 384)."""
    image = Image.new("RGB", LARGE, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 60, 324, 460), fill=(40, 60, 150))
    for row in range(4):
        draw.text((90, 100 + 80 * row), "NEVER LOST", fill=(250, 240, 90), font_size=34)
    return torch.from_numpy(np.array(image)).movedim(-1, 0).float() / 255


def opacity() -> torch.Tensor:
    alpha = torch.zeros(1, 512, 384)
    alpha[:, 60:461, 60:325] = 1
    return alpha


def resized(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(image[None], size[::-1], mode="area")[0]


def cell_grid(width: int, height: int) -> torch.Tensor:
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return torch.stack([x, y])


def photographed(image: torch.Tensor, fill: float) -> torch.Tensor:
    """The garment as the photo shows it, at 512 pixels of height."""
    points = (cell_grid(*LARGE) - SHIFT) / SCALE * 2 - 1
    inside = (points.abs() < 1).all(0)
    seen = F.grid_sample(image[None], points.movedim(0, -1)[None], "bilinear", "border", align_corners=False)[0]
    return torch.where(inside, seen, fill)


def photo(brightness: float = 0.8) -> SourcePhoto:
    """On a red background, darker than the product shot."""
    mask = photographed(opacity(), 0.0)
    red = torch.tensor([0.9, 0.1, 0.1]).view(3, 1, 1)
    image = photographed(garment(), 1.0) * brightness * mask + red * (1 - mask)
    whole = (0, 0, *LARGE)
    return SourcePhoto(image, mask, Placement(whole, whole, LARGE, LARGE))


def seen(visible: float = 1.0, place: torch.Tensor | None = None) -> Evidence:
    place = SHIFT + SCALE * cell_grid(*CELLS) if place is None else place
    certain = torch.full(CELLS[::-1], visible)
    stretch = torch.full(CELLS[::-1], SCALE**2)
    flow = Flow(place, torch.zeros(CELLS[::-1]), stretch)
    return Evidence(certain, torch.zeros(CELLS[::-1], dtype=torch.long), certain[None], (flow,))


def restored() -> torch.Tensor:
    """Output like that of a small model: the right colours, but no letters."""
    alpha = opacity()
    soft, weight = (F.avg_pool2d(image[None], 41, stride=1, padding=20)[0] for image in (garment() * alpha, alpha))
    return resized(soft / weight.clamp_min(1e-3) * alpha + 1 - alpha, SMALL)


def error(image: torch.Tensor) -> float:
    return float(((image - garment()).abs() * opacity()).sum() / opacity().sum() / 3)


def test_lettering_comes_back_with_the_restored_colours():
    plain, moved = transfer_details(restored(), resized(opacity(), SMALL), seen(0.0), [photo()], LARGE, Transfer())
    assert moved.max() == 0
    image, moved = transfer_details(restored(), resized(opacity(), SMALL), seen(), [photo()], LARGE, Transfer())
    assert error(image) < 0.45 * error(plain)
    inner = (..., slice(90, 430), slice(90, 294))
    assert moved[inner].min() > 0.9
    contrast = image[inner].std() / garment()[inner].std()
    assert 0.75 < contrast < 1.1


def test_strength_0_changes_nothing():
    off, moved = transfer_details(
        restored(), resized(opacity(), SMALL), seen(), [photo()], SMALL, Transfer(strength=0.0)
    )
    assert torch.equal(off, restored())
    assert moved.max() == 0


def test_the_red_background_never_comes_along():
    slipped = SHIFT + SCALE * cell_grid(*CELLS) + 0.08  # the map points beside the garment at two edges
    image, _ = transfer_details(
        restored(), resized(opacity(), SMALL), seen(place=slipped), [photo()], LARGE, Transfer()
    )
    plain, _ = transfer_details(restored(), resized(opacity(), SMALL), seen(0.0), [photo()], LARGE, Transfer())
    redder = (image[0] - image[2]) - (plain[0] - plain[2]).amax()
    assert redder.max() < 0.9, "letters are yellow, so red alone proves nothing"
    pure_red = (image[0] > 0.6) & (image[1] < 0.3)
    assert not pure_red.any()


def test_a_coloured_hand_that_the_mask_leaves_out_never_comes_along():
    source = photo()
    image, mask = source.image.clone(), source.mask.clone()
    green = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1)
    image[:, 200:300, 150:250], mask[:, 200:300, 150:250] = green, 0.0
    held = SourcePhoto(image, mask, source.placement)
    result, _ = transfer_details(restored(), resized(opacity(), SMALL), seen(), [held], LARGE, Transfer())
    assert not ((result[1] > 0.7) & (result[0] < 0.4)).any()


def test_no_detail_is_transferred_where_the_map_folds():
    evidence = seen()
    flow = evidence.flows[0]
    assert flow is not None
    folded = flow.stretch.clone()
    folded[:16] = -1.0
    folding = Evidence(evidence.visible, evidence.best, evidence.in_photo, (Flow(flow.place, flow.residual, folded),))
    _, moved = transfer_details(restored(), resized(opacity(), SMALL), folding, [photo()], LARGE, Transfer())
    assert moved[:, :256].max() == 0
    assert moved[:, 300:].max() > 0.9


def test_the_white_around_the_garment_stays_white():
    image, _ = transfer_details(restored(), resized(opacity(), SMALL), seen(), [photo()], LARGE, Transfer())
    assert image[:, :50].min() > 0.99
    assert image[:, :, :50].min() > 0.99


@pytest.mark.parametrize("colour", [(0.9, 0.85, 0.1), (0.1, 0.6, 0.2), (0.8, 0.2, 0.2)])
def test_a_photo_of_another_garment_leaves_nothing_behind(colour: tuple[float, float, float]):
    """The blue garment with the view of a striped one, as if the wrong photo were connected."""
    own = photo()
    stripes = torch.tensor(colour).view(3, 1, 1).expand_as(own.image).clone()
    stripes[:, ::12] *= 0.5
    other = SourcePhoto(stripes, own.mask, own.placement)
    plain, _ = transfer_details(restored(), resized(opacity(), SMALL), seen(0.0), [own], LARGE, Transfer())
    image, moved = transfer_details(restored(), resized(opacity(), SMALL), seen(), [other], LARGE, Transfer())
    assert moved.mean() < 0.02
    assert (image - plain).abs().mean() < 0.005


def test_each_region_comes_from_the_photo_that_shows_it():
    lettered = photo()
    mean = (lettered.image * lettered.mask).sum((1, 2), keepdim=True) / lettered.mask.sum()
    plain = mean.expand_as(lettered.image).contiguous()
    blank = SourcePhoto(plain, lettered.mask, lettered.placement)
    evidence = seen()
    flow = evidence.flows[0]
    half = torch.zeros(2, *CELLS[::-1])
    half[0, :, :12] = 1
    half[1, :, 12:] = 1
    both = Evidence(torch.ones(CELLS[::-1]), half.argmax(0), half, (flow, flow))
    image, _ = transfer_details(restored(), resized(opacity(), SMALL), both, [lettered, blank], LARGE, Transfer())
    left, right = image[:, 90:430, 90:180], image[:, 90:430, 204:294]
    assert left.std((1, 2)).min() > 2 * right.std((1, 2)).max()


def test_too_large_sizes_are_refused():
    with pytest.raises(IGRError, match="at most 2048x2048"):
        transfer_details(restored(), opacity(), seen(), [photo()], (4096, 5461), Transfer())


def test_a_fine_pattern_does_not_alias_when_the_photo_is_reduced():
    """Stripes of one pixel average to grey, whatever the size of the result."""
    source = photo()
    striped = source.image.clone()
    striped[:, :, ::2], striped[:, :, 1::2] = 0.2, 0.8
    fine = SourcePhoto(striped, source.mask, source.placement)
    image, _ = transfer_details(restored(), resized(opacity(), SMALL), seen(), [fine], SMALL, Transfer())
    inner = image[:, 30:100, 26:70]
    assert (inner - inner.mean((1, 2), keepdim=True)).abs().mean() < 0.1
