"""What a garment mask tells of itself before any model runs: facts, and warnings that say what to do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .inputs import MASK_THRESHOLD
from .masks import Rect, mask_box, mask_pieces

SMALL_SHARE, LARGE_SHARE = 0.02, 0.6
"""Masks that cover less or more of the photo than this are warned of."""
SPECK_SHARE = 0.01
"""Pieces of less than this share of the mask are specks."""
SPECKS_WIDEN = 1.1
"""Specks are warned of where they make the garment's box this much wider or higher."""
NARROW = {"upper": 0.39, "lower": 0.3, "full": 0.24}
"""Width over height below which a person seldom faces the camera; the least counts where the category is unknown.

Of 400 drawn persons of each category who face the camera, 3 %, 1 % and 1 % are narrower, of 400 who are turned 45 %,
50 % and 82 %.
"""


@dataclass(frozen=True)
class MaskFacts:
    """What was measured of one mask."""

    size: tuple[int, int]
    """Width and height of the photo in pixels."""
    share: float
    """Share of the photo that the mask covers."""
    box: Rect
    """Box of the mask in pixels: what the image prompt is cut to."""
    edges: tuple[str, ...]
    """Edges of the photo that the mask touches: top, bottom, left, right."""
    pieces: tuple[float, ...]
    """Share of the mask in each of its pieces, the largest first; pieces a coarse cell apart count as one."""
    widened: float
    """How many times wider or higher, whichever is more, specks make the box; 1 without any."""
    slenderness: float
    """Median extent of the rows from 30 % to 80 % of the mask's height, over that height."""

    @property
    def large_pieces(self) -> int:
        """Number of pieces that are no specks."""
        return sum(share >= SPECK_SHARE for share in self.pieces)


def measure_mask(mask: Tensor) -> MaskFacts:
    """Measure a mask (1, 1, H, W) in 0..1 that is not empty."""
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
        slenderness=_slenderness(seen[box[1] : box[3]]),
    )


def mask_warnings(masks: Tensor, category: str | None = None) -> tuple[str, ...]:
    """One sentence for each thing that the user may want to mend in masks (B, 1, H, W), none of them empty.

    Side views are told surer where the garment's category is known.
    """
    sentences: list[str] = []
    for number, mask in enumerate(masks.split(1), 1):
        label = f"mask {number}" if len(masks) > 1 else "mask"
        sentences += warnings_of(measure_mask(mask), label, category)
    return tuple(sentences)


def warnings_of(facts: MaskFacts, label: str = "mask", category: str | None = None) -> list[str]:
    """The sentences for one mask, which they call `label`."""
    if facts.share == 1:
        return [
            f"The {label} covers everything: the whole picture is taken for the garment; paint the garment alone, "
            "unless nothing else is in the photo."
        ]
    return [sentence.format(label=label, **words) for found, sentence, words in _findings(facts, category) if found]


def _findings(facts: MaskFacts, category: str | None) -> list[tuple[bool, str, dict[str, str]]]:
    """Whether it is so, the sentence, and the words to fill in."""
    share = "less than 0.1%" if facts.share < 0.001 else f"{facts.share:.1%}"
    narrow = NARROW.get(category or "", min(NARROW.values()))
    specks = facts.widened > SPECKS_WIDEN
    return [
        (
            facts.share < SMALL_SHARE,
            "The {label} covers {share} of the picture, so little detail can be restored: crop the photo to the "
            "person, or choose the focused view.",
            {"share": share},
        ),
        (
            facts.share > LARGE_SHARE,
            "The {label} covers {share} of the picture: see whether it is the garment and not what is around it; if "
            "it is inverted, invert it.",
            {"share": share},
        ),
        (
            bool(facts.edges),
            "The {label} touches the {edges} edge, so the garment may be cut off there, and what is missing is made "
            "up: take a photo that shows all of it.",
            {"edges": " and ".join(facts.edges)},
        ),
        (
            facts.large_pieces > 1,
            "The {label} is in {pieces} pieces: erase those that are not this garment; where an arm, hair or a bag "
            "cuts it up, what is hidden is made up.",
            {"pieces": str(facts.large_pieces)},
        ),
        (
            specks,
            "The {label} has specks far from the garment, which make the garment small in its crop: erase them, or "
            "keep the largest piece only.",
            {},
        ),
        (
            facts.slenderness < narrow and not facts.edges and not specks,  # its height must be known
            "The {label} is narrow for its height, so the person may stand sideways or something may hide part of the "
            "garment: a photo from the front is restored better.",
            {},
        ),
    ]


def _widened(box: Rect, large: list[Rect]) -> float:
    """Sides of the box over those of the box around the large pieces, whichever is more; large ones are coarse."""
    left, top = (min(one[side] for one in large) for side in (0, 1))
    right, bottom = (max(one[side] for one in large) for side in (2, 3))
    return max(1.0, (box[2] - box[0]) / (right - left), (box[3] - box[1]) / (bottom - top))


def _slenderness(rows: Tensor) -> float:
    """Median extent of a mask's rows (h, w), between 30 % and 80 % down, over its height."""
    height, width = rows.shape
    first = int(0.3 * height)
    middle = rows[first : max(int(0.8 * height), first + 1)].to(torch.uint8)
    extents = width - middle.argmax(1) - middle.flip(1).argmax(1)  # of an empty row: width
    extents = extents * (middle.amax(1) > 0)
    return float(extents.double().quantile(0.5)) / height
