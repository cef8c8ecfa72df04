"""Measure a garment mask before any model runs, and warn about likely problems."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .inputs import MASK_THRESHOLD
from .masks import Rect, mask_box, mask_pieces

SMALL_SHARE, LARGE_SHARE = 0.02, 0.6
"""Masks that cover less of the photo than the first value, or more than the second, cause a warning."""
SPECK_SHARE = 0.01
"""Pieces smaller than this fraction of the mask are specks."""
SPECKS_WIDEN = 1.1
"""Specks cause a warning if they make the garment's box this many times wider or taller."""
GREY, GREY_SHARE = (0.1, 0.9), 0.05
"""Areas of an even grey in this range cause a warning if they make up more than this fraction of the mask."""
NARROW = {"upper": 0.39, "lower": 0.3, "full": 0.24}
"""Ratio of width to height below which a person rarely faces the camera; an unknown category uses the lowest value.

Of 400 drawn people per category who face the camera, 3%, 1% and 1% have narrower masks; of 400 who are turned sideways,
45%, 50% and 82% do.
"""


@dataclass(frozen=True)
class MaskFacts:
    """Measurements of one mask."""

    size: tuple[int, int]
    """Width and height of the photo in pixels."""
    share: float
    """Fraction of the photo that the mask covers."""
    box: Rect
    """Bounding box of the mask in pixels; the image prompt is cropped to it."""
    edges: tuple[str, ...]
    """Edges of the photo that the mask touches: top, bottom, left, right."""
    pieces: tuple[float, ...]
    """Fraction of the mask in each piece, largest first; pieces that are less than a coarse cell apart count as one."""
    widened: float
    """Factor by which specks make the box wider or taller, whichever is greater; 1 without specks."""
    grey: float
    """Fraction of everything drawn that is an even grey, as in a label map or between the strokes of a soft brush."""
    slenderness: float
    """Median extent of the rows between 30% and 80% of the mask's height, divided by that height."""

    @property
    def large_pieces(self) -> int:
        """Number of pieces that are not specks."""
        return sum(share >= SPECK_SHARE for share in self.pieces)


def measure_mask(mask: Tensor) -> MaskFacts:
    """Measure a non-empty mask (1, 1, H, W) in 0..1."""
    inside = mask >= MASK_THRESHOLD
    seen = inside[0, 0]
    box = mask_box(mask)
    pieces = mask_pieces(inside)
    edges = {"top": seen[0], "bottom": seen[-1], "left": seen[:, 0], "right": seen[:, -1]}
    return MaskFacts(
        size=(mask.shape[-1], mask.shape[-2]),
        share=float(seen.float().mean()),
        box=box,
        edges=tuple(name for name, edge in edges.items() if bool(edge.any())),
        pieces=tuple(share for share, _ in pieces),
        widened=_widened(box, [one for share, one in pieces if share >= SPECK_SHARE] or [pieces[0][1]]),
        grey=_grey(mask[0, 0]),
        slenderness=_slenderness(seen[box[1] : box[3]]),
    )


def mask_warnings(masks: Tensor, category: str | None = None) -> tuple[str, ...]:
    """One sentence for each likely problem with non-empty masks (B, 1, H, W).

    Knowing the garment's category makes side views easier to detect.
    """
    sentences: list[str] = []
    for number, mask in enumerate(masks.split(1), 1):
        label = f"mask {number}" if len(masks) > 1 else "mask"
        sentences += warnings_of(measure_mask(mask), label, category)
    return tuple(sentences)


def warnings_of(facts: MaskFacts, label: str = "mask", category: str | None = None) -> list[str]:
    """The warnings about one mask; `label` is its name in them."""
    if facts.share == 1:
        return [f"The {label} covers the whole photo: paint only the garment, unless the photo shows nothing else."]
    return [sentence.format(label=label, **words) for found, sentence, words in _findings(facts, category) if found]


def _findings(facts: MaskFacts, category: str | None) -> list[tuple[bool, str, dict[str, Any]]]:
    """For each check: whether the problem was found, the sentence, and the values to fill in."""
    share = "less than 0.1%" if facts.share < 0.001 else f"{facts.share:.1%}"
    narrow = NARROW.get(category or "", min(NARROW.values()))
    specks = facts.widened > SPECKS_WIDEN
    return [
        (
            facts.share < SMALL_SHARE,
            "The {label} covers {share} of the photo, so little detail can be restored: crop the photo to the "
            "person, or use the focused view.",
            {"share": share},
        ),
        (
            facts.share > LARGE_SHARE,
            "The {label} covers {share} of the photo: check that it covers the garment and not the background, "
            "and invert it if necessary.",
            {"share": share},
        ),
        (
            bool(facts.edges),
            "The {label} touches the {edges} of the photo, so the garment may be cut off and the model will "
            "invent the rest: use a photo that shows the whole garment.",
            {"edges": _edges(facts.edges)},
        ),
        (
            facts.large_pieces > 1,
            "The {label} has {pieces} separate pieces: erase those that are not part of the garment. If an arm, hair "
            "or a bag splits the garment, the model will invent what is hidden.",
            {"pieces": str(facts.large_pieces)},
        ),
        (
            facts.grey > GREY_SHARE,
            "The {label} is an even grey over {grey:.0%} of its area, like a label map with several labels, and counts "
            "as garment where it is at least half as bright as white: paint the garment white and everything else "
            "black.",
            {"grey": facts.grey},
        ),
        (
            specks,
            "The {label} has specks far from the garment, which make the garment small in its crop: erase them, or "
            "keep only the largest piece.",
            {},
        ),
        (
            facts.slenderness < narrow and not facts.edges and not specks,  # only where the full height is visible
            "The {label} is narrow for its height, so the person may be turned sideways or part of the garment may be "
            "hidden: use a photo taken from the front for a better result.",
            {},
        ),
    ]


def _edges(names: Sequence[str]) -> str:
    """Edges in words: `top edge`, or `top, left and right edges`."""
    return f"{', '.join(names[:-1])} and {names[-1]} edges" if len(names) > 1 else f"{''.join(names)} edge"


def _grey(mask: Tensor) -> float:
    """Fraction of the drawn pixels (h, w) that are grey and equal to their neighbours, unlike those of a soft edge."""
    low, high = GREY
    even = (mask[:-1, :-1] == mask[1:, :-1]) & (mask[:-1, :-1] == mask[:-1, 1:])
    grey = even & (mask[:-1, :-1] > low) & (mask[:-1, :-1] < high)
    return float(grey.sum()) / max(1.0, float((mask > low).sum()))


def _widened(box: Rect, large: list[Rect]) -> float:
    """Ratio of the box to the (coarse) box around the large pieces, in width or height, whichever is larger."""
    left, top = (min(one[side] for one in large) for side in (0, 1))
    right, bottom = (max(one[side] for one in large) for side in (2, 3))
    return max(1.0, (box[2] - box[0]) / (right - left), (box[3] - box[1]) / (bottom - top))


def _slenderness(rows: Tensor) -> float:
    """Median extent of a mask's rows (h, w) between 30% and 80% of its height, divided by its height."""
    height, width = rows.shape
    first = int(0.3 * height)
    middle = rows[first : max(int(0.8 * height), first + 1)].to(torch.uint8)
    extents = width - middle.argmax(1) - middle.flip(1).argmax(1)  # the whole width for an empty row
    extents = extents * (middle.amax(1) > 0)
    return statistics.median(extents.tolist()) / height
