"""Lay worn garments out flat: a map to each photo, and the photo's own pixels seen through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..detail.evidence import Evidence
from ..detail.flow import Flow, stretch
from ..detail.transfer import check_aspect
from ..detail.warping import SourcePhoto, blurred, enlarged, trusted, warped
from ..errors import IGRError
from ..model.config import CATEGORIES, ViewConfig
from ..photo.inputs import check_category
from ..photo.view import make_view
from .filling import blend, fill
from .network import Flattener

BLACK = 0.05
"""Added to pixels before they are brightened, so that the factor of dark ones stays small."""
_VIEW, _NO_CROP = ViewConfig("focused", 0.15), 16
"""The view that the network was trained on, and the size of a crop that is not used."""
_UNSURE, _SURE = 0.35, 0.6
"""Probabilities of being visible: up to the first, the photo's pixels are not used; from the second on, entirely."""
_HIDDEN = 0.35
"""Share of hidden pixels from which a cell of the latent is denoised; others keep the photo's pixels."""
_SHADE = 0.7
"""Brightness of the garment's inside relative to its outside, as sRGB values: the median of rendered product shots."""
_FEATHER = 0.008
"""Width of the transition at the border of the photo's pixels, as a fraction of the image's height."""
_SOFT = 0.006
"""Width of the Gaussian that smooths the outline, as a fraction of the image's height."""
_MOST_LIGHT = 0.7
"""Maximum absolute logarithm of the factor by which pixels are brightened or darkened."""
_FLAT_SLOPE = 0.02
"""Slope of the silhouette's logits per pixel below which the outline is not sharpened further."""


@dataclass(frozen=True)
class FlatMap:
    """Where the points of a flat garment are in one photo."""

    flow: Flow
    """The map to the photo; its residual is the network's own estimate of its error."""
    visible: Tensor
    """(h, w) in 0..1: probability that the photo shows the point."""
    opacity: Tensor
    """(1, H, W): logit of the garment's opacity."""
    light: Tensor
    """(1, h, w): logarithm of the factor by which even light would brighten the photo's pixels."""
    inside: Tensor
    """(1, H, W) in 0..1: where the flat garment shows its inside, as in a neckline; no photo shows this."""


@dataclass(frozen=True)
class Flat:
    """A garment laid out flat."""

    image: Tensor
    """(3, h, w) in 0..1 on white: the photos' pixels, and smooth colours where no photo shows the garment."""
    pixels: Tensor
    """(3, h, w) in 0..1: the photos' pixels alone, meaningful where `known` is above 0."""
    known: Tensor
    """(1, h, w) in 0..1: how much of each pixel is from a photo."""
    opacity: Tensor
    """(1, h, w) in 0..1: the garment's opacity."""

    @property
    def shown(self) -> Tensor:
        """(1, h, w) in 0..1: the parts of the garment whose pixels come from a photo."""
        return self.opacity * self.known

    @property
    def hidden(self) -> Tensor:
        """(1, h, w) in 0..1: the parts of the garment that no photo shows."""
        return self.opacity * (1 - self.known)


@dataclass(frozen=True)
class Worn:
    """A photo of a garment, as the flattener sees it."""

    view: Tensor
    """(4, H, W) in 0..1: RGB and mask of the garment and its surroundings."""
    source: SourcePhoto
    """The photo at its own size, and its placement in `view`."""


@dataclass(frozen=True)
class FlatGarment:
    """The maps of one garment to its photos."""

    maps: tuple[FlatMap, ...]
    """The map to each photo."""
    photos: tuple[Worn, ...]
    """The photos."""

    @property
    def evidence(self) -> Evidence:
        """Visibility of the garment's cells in its photos, as predicted by the network."""
        return flat_evidence(self.maps)

    def laid_out(self, size: tuple[int, int]) -> Flat:
        """The photos' pixels, laid out at `size` (width, height); raises IGRError as lay_out does."""
        return lay_out(self.maps, self.photos, size)

    def completed(self, restored: Tensor, size: tuple[int, int]) -> Tensor:
        """The garment (3, h, w) in 0..1 at `size` (width, height), with hidden parts from a restored one (3, H, W)."""
        return complete(self.laid_out(size), restored)


def flat_garments(
    network: Flattener, photos: Sequence[SourcePhoto], categories: Sequence[str], numbers: Sequence[tuple[int, ...]]
) -> list[FlatGarment]:
    """Map garments to their photos: garment i is in the photos `numbers[i]`; `categories` has one entry per garment.

    Raises IGRError for an unknown category and for an empty mask.
    """
    shown = worn(network, photos)
    owners = {number: category for category, own in zip(categories, numbers, strict=True) for number in own}
    maps = flatten(network, shown, [owners[number] for number in range(len(shown))])
    return [
        FlatGarment(_outlined(network, [maps[n] for n in own], category), tuple(shown[n] for n in own))
        for category, own in zip(categories, numbers, strict=True)
    ]


def _outlined(network: Flattener, maps: Sequence[FlatMap], category: str) -> tuple[FlatMap, ...]:
    """The maps of a garment with the outline of a real garment, if the network has any that fit."""
    if network.outlines is None:
        return tuple(maps)
    visible = torch.stack([one.visible for one in maps]).amax(0)
    shape = network.outlines.fitted(
        torch.stack([one.opacity for one in maps]).mean(0), visible.logit(1e-4), CATEGORIES.index(category)
    )
    if shape is None:
        return tuple(maps)
    return tuple(replace(one, opacity=shape.opacity, inside=shape.inside) for one in maps)


def worn(network: Flattener, photos: Sequence[SourcePhoto]) -> list[Worn]:
    """Lay out photos for the network, whatever the view that they come from; raises IGRError for an empty mask."""
    found = []
    for one in photos:
        view = make_view(one.image[None], one.mask[None], network.config.size, _VIEW, _NO_CROP)
        source = SourcePhoto(one.image, one.mask, view.placements[0])
        found.append(Worn(torch.cat([view.person, view.mask], 1)[0], source))
    return found


@torch.no_grad()
def flatten(network: Flattener, photos: Sequence[Worn], categories: Sequence[str]) -> list[FlatMap]:
    """Map the flat garment to each of its photos; `categories` has one category per photo.

    Raises IGRError for an unknown category.
    """
    for category in categories:
        check_category(category)
    parameter = next(network.parameters())
    seen = torch.stack([one.view for one in photos]).to(parameter)
    numbers = torch.tensor([CATEGORIES.index(category) for category in categories], device=parameter.device)
    place, spread, visible, opacity, light = (x.float().cpu() for x in _both_ways(network, seen, numbers))
    return [
        FlatMap(
            Flow(place[row], spread[row, 0], stretch(place[row])),
            visible[row, 0].sigmoid(),
            opacity[row],
            light[row].clamp(-_MOST_LIGHT, _MOST_LIGHT),
            torch.zeros_like(opacity[row]),
        )
        for row in range(len(place))
    ]


def lay_out(maps: Sequence[FlatMap], photos: Sequence[Worn], size: tuple[int, int]) -> Flat:
    """The flat garment at `size` (width, height) from the maps to one or more of its photos.

    Each point is taken from the photo that most likely shows it. Raises IGRError if the size has another aspect ratio
    than the maps.
    """
    check_aspect(size, (maps[0].opacity.shape[-1], maps[0].opacity.shape[-2]))
    opacity, inside = _silhouette(maps, size), _inside(maps, size)
    evidence = flat_evidence(maps)
    pixels = opacity.new_zeros(3, *opacity.shape[-2:])
    known, faint, blurry = torch.zeros_like(opacity), torch.zeros_like(opacity), torch.zeros_like(pixels)
    ground = torch.stack([_mean_colour(photo.source) for photo in photos]).mean(0)
    for number, (one, photo) in enumerate(zip(maps, photos, strict=True)):
        taken, covered = warped(photo.source, one.flow.place, size)
        shown = evidence.in_photo[number] * (evidence.best == number)
        shown = F.interpolate(shown[None, None], opacity.shape[-2:], mode="bilinear", align_corners=False)[0]
        taken = relit(taken, one.light)
        part = ((shown - _UNSURE) / (_SURE - _UNSURE)).clamp(0, 1) * covered * (1 - inside)
        part = torch.minimum(part, blurred(part, _FEATHER * size[1]))
        faint, blurry = faint + part, blurry + part * taken
        part = part * trusted(one.flow.stretch, photo.source, size)
        part = torch.minimum(part, blurred(part, _FEATHER * size[1]))
        pixels, known = pixels + part * taken, known + part
    pixels, blurry = (
        (image / weight.clamp_min(1e-6)).clamp(0, 1) for image, weight in ((pixels, known), (blurry, faint))
    )
    known = known.clamp(0, 1)
    ground = fill(blurry, faint.clamp(0, 1), ground)  # pixels that are magnified too much are better than none
    ground = ground * (1 - (1 - _SHADE) * inside)
    return Flat(_on_white(known * pixels + (1 - known) * ground, opacity), pixels, known, opacity)


def _mean_colour(photo: SourcePhoto) -> Tensor:
    """The garment's mean colour (3, 1, 1) in a photo."""
    weight = photo.mask.sum().clamp_min(1e-6)
    return (photo.image * photo.mask).sum((1, 2), keepdim=True) / weight


def relit(image: Tensor, light: Tensor) -> Tensor:
    """An image (3, H, W) in 0..1, brightened by the exponential of `light` (1, h, w)."""
    gain = F.interpolate(light[None], image.shape[-2:], mode="bilinear", align_corners=False)[0].exp()
    return ((image + BLACK) * gain - BLACK).clamp(0, 1)


def complete(flat: Flat, restored: Tensor) -> Tensor:
    """A flat garment (3, h, w) whose hidden parts come from a restored one (3, H, W) of the same aspect ratio."""
    height, width = flat.opacity.shape[-2:]
    return _on_white(blend(enlarged(restored, (width, height)), flat.pixels, flat.known), flat.opacity)


def difference(flat: Flat, restored: Tensor) -> float:
    """Mean absolute difference, 0..1, between a restored garment (3, H, W) and the photos' pixels.

    Only known pixels count; without any, it is 0.
    """
    size = restored.shape[-2:]
    shown, pixels = (F.interpolate(x[None], size, mode="area")[0] for x in (flat.shown, flat.shown * flat.pixels))
    total = float(shown.sum()) * len(pixels)
    return float((pixels - shown * restored).abs().sum()) / total if total else 0.0


def kept_cells(flats: Sequence[Flat], downscale: int) -> Tensor:
    """Cells of the latent (B, 1, h, w) that keep the photos' pixels: 1 where little of a cell is hidden, else 0."""
    return (F.avg_pool2d(torch.stack([flat.hidden for flat in flats]), downscale) < _HIDDEN).float()


def check_flattens(network: Flattener, size: tuple[int, int]) -> None:
    """Raise IGRError if a working size (width, height) has another aspect ratio than the network's."""
    width, height = network.config.size
    if size[0] * height != size[1] * width:
        raise IGRError(
            f"A garment cannot be laid out flat at {size[0]}x{size[1]}: choose a size in the ratio of {width}x{height}."
        )


def flat_evidence(maps: Sequence[FlatMap]) -> Evidence:
    """The visibility of the flat garment's cells in its photos."""
    shape = maps[0].visible.shape
    logits = torch.stack([one.opacity for one in maps]).mean(0)
    cloth = F.interpolate(logits.sigmoid()[None], shape, mode="area")[0, 0]
    in_photo = torch.stack([one.visible for one in maps]) * (cloth > 0.02)
    visible, best = in_photo.max(0)
    return Evidence(visible, best, in_photo, tuple(one.flow for one in maps))


def _both_ways(network: Flattener, photo: Tensor, category: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Place, spread, visibility, opacity and light, averaged over each photo and its mirror image.

    Garments are laid out symmetrically, so the silhouette is also averaged with its own mirror image.
    """
    count = len(photo)
    found = network(torch.cat([photo, photo.flip(-1)]), torch.cat([category, category]))
    there, back = found.place[:count], found.place[count:].flip(-1)
    place = (there + torch.cat([1 - back[:, :1], back[:, 1:]], 1)) / 2
    spread, visible, opacity, light = (
        (x[:count] + x[count:].flip(-1)) / 2 for x in (found.spread, found.visible, found.opacity, found.light)
    )
    return place, spread, visible, (opacity + opacity.flip(-1)) / 2, light


def _silhouette(maps: Sequence[FlatMap], size: tuple[int, int]) -> Tensor:
    """The garment's opacity (1, h, w), with an edge about one pixel wide wherever the outline is."""
    width, height = size
    logits = torch.stack([one.opacity for one in maps]).mean(0)
    if logits.shape[-2:] != (height, width):
        logits = F.interpolate(logits[None], (height, width), mode="bicubic", antialias=True, align_corners=False)[0]
    logits = blurred(logits, _SOFT * height)
    across, down = torch.gradient(logits[0])
    slope = (across**2 + down**2).sqrt().clamp_min(_FLAT_SLOPE * 256 / height)
    return (0.5 + logits / slope).clamp(0, 1)


def _inside(maps: Sequence[FlatMap], size: tuple[int, int]) -> Tensor:
    """(1, h, w) in 0..1: where the flat garment shows its inside."""
    inside = torch.stack([one.inside for one in maps]).mean(0)
    return F.interpolate(inside[None], size[::-1], mode="bilinear", antialias=True, align_corners=False)[0]


def _on_white(image: Tensor, opacity: Tensor) -> Tensor:
    return (image * opacity + 1 - opacity).clamp(0, 1)
