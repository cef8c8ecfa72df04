"""Labels of human parsers: what each number means, and which labels make up a garment of each category."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from ..photo.inputs import check_category

AUTO = "auto"
"""Selects the category whose labels cover the largest area of the photo."""
LEAST_SHARE = 0.002
"""Labels that cover a smaller fraction of the photo than this count as not found."""


@dataclass(frozen=True)
class LabelNames:
    """A set of labels, as numbered by parsers and data sets."""

    name: str
    """Name of the set, such as `ATR-18`."""
    labels: tuple[str, ...]
    """Name of each label, by number."""

    def numbers(self, names: Sequence[str]) -> tuple[int, ...]:
        """Numbers of the labels with these names; unknown names are ignored."""
        return tuple(number for number, label in enumerate(self.labels) if label in names)


class GarmentLabels(NamedTuple):
    """Labels that make up a garment of one category."""

    own: tuple[str, ...]
    """Labels that are combined: parsers may split a garment, or label a coat separately from the top beneath it."""
    instead: tuple[str, ...]
    """Labels that are added if almost nothing of `own` is found, because a crop top may be labelled as a dress."""


ATR = LabelNames(
    "ATR-18",
    (
        "background", "hat", "hair", "sunglasses", "upper-clothes", "skirt", "pants", "dress", "belt", "left-shoe",
        "right-shoe", "face", "left-leg", "right-leg", "left-arm", "right-arm", "bag", "scarf",
    ),
)  # fmt: skip
"""Labels of segformer_b2_clothes, DressCode's label_maps and StreetTryOn's segm_atr_labels."""

LIP = LabelNames(
    "LIP-20",
    (
        "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
        "jumpsuits", "scarf", "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe",
        "right-shoe",
    ),
)  # fmt: skip
"""Labels of the LIP data set."""

CIHP = LabelNames("CIHP-20", tuple("torso-skin" if label == "jumpsuits" else label for label in LIP.labels))
"""LIP's numbers with skin instead of jumpsuits, as in VITON-HD's image-parse-v3."""

FASHN = LabelNames(
    "fashn-human-parser",
    (
        "background", "face", "hair", "top", "dress", "skirt", "pants", "belt", "bag", "hat", "scarf", "glasses",
        "arms", "hands", "legs", "feet", "torso", "jewelry",
    ),
)  # fmt: skip
"""Labels of the model with this name, which labels coats as tops."""

KNOWN = (ATR, LIP, CIHP, FASHN)
"""Every supported set of labels."""

GARMENTS: Mapping[str, GarmentLabels] = {
    "upper": GarmentLabels(("upper-clothes", "top", "coat"), ("dress", "jumpsuits")),
    "lower": GarmentLabels(("skirt", "pants"), ("dress", "jumpsuits")),
    # a belted dress is often split into a top, a belt and a skirt
    "full": GarmentLabels(("dress", "jumpsuits", "upper-clothes", "top", "skirt", "pants", "belt"), ("coat",)),
}
"""Labels that make up a garment of each category, with the names from all sets."""

_TELLING: Mapping[str, tuple[str, ...]] = {
    "full": ("dress", "jumpsuits"),
    "upper": GARMENTS["upper"].own,
    "lower": GARMENTS["lower"].own,
}
"""Labels that indicate a category, for `auto`; if the areas are equal, the first category is chosen."""


class Parsed(NamedTuple):
    """What a parser finds in photos."""

    labels: Tensor
    """Label maps (B, H, W) int64, at the size of the photos."""
    certainty: Tensor
    """(B, h, w) in 0..1, at the parser's resolution: probability of the most likely label."""

    def certainty_in(self, masks: Tensor) -> tuple[float, ...]:
        """The mean certainty in each of the non-empty masks (B, 1, H, W) in 0..1."""
        weights = F.interpolate(masks.to(self.certainty), self.certainty.shape[-2:], mode="area")[:, 0]
        total = weights.sum((1, 2)).clamp_min(torch.finfo(weights.dtype).tiny)
        return tuple(((self.certainty * weights).sum((1, 2)) / total).tolist())


def known_labels(names: Sequence[str]) -> LabelNames | None:
    """The set with these label names in this order, ignoring case and punctuation; None if unknown."""
    spelled = [_letters(name) for name in names]
    return next((one for one in KNOWN if [_letters(label) for label in one.labels] == spelled), None)


def likely_categories(labels: Tensor, names: LabelNames) -> tuple[str, ...]:
    """For each of the label maps (B, H, W), the category whose labels cover the largest area.

    Dresses and jumpsuits indicate full, tops and coats upper, and skirts and trousers lower. A dress that the parser
    has split in two is therefore classified by its larger half; specify the category if this matters.
    """
    areas = {category: _is_any(labels, names, telling).flatten(1).sum(1) for category, telling in _TELLING.items()}
    order = tuple(areas)
    return tuple(order[int(column.argmax())] for column in torch.stack(tuple(areas.values())).unbind(1))


def garment_mask(labels: Tensor, names: LabelNames, category: str) -> tuple[Tensor, tuple[str, ...]]:
    """Masks (B, 1, H, W), 0 or 1, of the garments in label maps (B, H, W), and their categories.

    `category` is upper, lower, full or auto. Raises IGRError for any other category, and for a photo without a garment
    of the category.
    """
    if category != AUTO:
        check_category(category)
    categories = likely_categories(labels, names) if category == AUTO else (category,) * len(labels)
    masks = [_garment(one, names, its) for one, its in zip(labels.split(1), categories, strict=True)]
    for number, (mask, its) in enumerate(zip(masks, categories, strict=True), 1):
        if not bool(mask.any()):
            where = f"photo {number}" if len(masks) > 1 else "the photo"
            what = "garment" if category == AUTO else f"garment of category {its}"
            raise IGRError(f"The parser found no {what} in {where}: choose another category, or paint the mask.")
    return torch.cat(masks)[:, None].float(), categories


def _garment(labels: Tensor, names: LabelNames, category: str) -> Tensor:
    own, instead = GARMENTS[category]
    found = _is_any(labels, names, own)
    if float(found.float().mean()) < LEAST_SHARE:
        found |= _is_any(labels, names, instead)
    return found if float(found.float().mean()) >= LEAST_SHARE else torch.zeros_like(found)


def _is_any(labels: Tensor, names: LabelNames, wanted: Sequence[str]) -> Tensor:
    """Pixels (B, H, W) whose label has one of these names."""
    return torch.isin(labels, torch.tensor(names.numbers(wanted), device=labels.device))


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
