"""Outfits: the garment to restore, and the clothes that complete it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from igr_core.errors import IGRError

from ..base.surfaces import Kind
from .base.cuts import Cut, held_out_cut
from .lots import draw_cut, draw_kind

TUCKABLE = ("tee", "long_sleeve", "shirt", "blouse", "tank", "sweater", "polo")
"""Tops that may be tucked in."""
MAX_DRAWS = 100
"""Maximum number of draws to find another garment that matches `held_out`."""


@dataclass(frozen=True)
class Outfit:
    """The cuts of clothes worn together, from the innermost layer to the outermost."""

    cuts: tuple[Cut, ...]
    """Cuts in the order in which the clothes are put on."""
    wanted: int
    """Index of the garment to restore."""
    tucked: bool
    """Whether the top is tucked into the lower garment."""

    @property
    def cut(self) -> Cut:
        """Cut of the garment to restore."""
        return self.cuts[self.wanted]

    @property
    def kinds(self) -> list[Kind]:
        """Kind of each layer: garment, other_1 or other_2."""
        others = iter(("other_1", "other_2"))
        return ["garment" if i == self.wanted else next(others) for i in range(len(self.cuts))]

    @property
    def sex(self) -> str:
        """Gender that the clothes are made for: female or male."""
        return self.cut.sex

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the garment: cut, neckline, sleeve, length, fit, front, tucked, under_jacket."""
        cut = self.cut
        over = any(other.front == "open" for other in self.cuts if other is not cut)
        return {
            "cut": cut.kind,
            "neckline": cut.collar if cut.collar != "none" else cut.neckline,
            "sleeve": cut.sleeve,
            "length": _length_name(cut),
            "fit": cut.fit,
            "front": cut.front,
            "tucked": "yes" if self.tucked else "no",
            "under_jacket": "yes" if over else "no",
        }


def draw_outfit(rng: np.random.Generator, category: str, held_out: bool = False) -> Outfit:
    """An outfit around a garment of a category (upper, lower, full).

    Raises:
        IGRError: if the category is unknown.
    """
    return complete(rng, draw_cut(rng, draw_kind(rng, category), held_out), held_out)


def complete(rng: np.random.Generator, cut: Cut, held_out: bool = False) -> Outfit:
    """An outfit around a garment: draws the other clothes, and decides whether the top is tucked in.

    Without `held_out`, none of the other clothes has a held-out cut; with it, most do.
    """
    if cut.category == "full":
        return Outfit((cut,), 0, False)
    if cut.category == "lower":
        top = _drawn(lambda: _top_for(rng, cut, held_out), held_out)
        tucked = top.kind != "crop_top" and (_wide_skirt(cut) or (top.kind in TUCKABLE and rng.random() < 0.5))
        return Outfit((top, cut), 1, True) if tucked else Outfit((cut, top), 0, False)
    lower = _lower_for(rng, cut, held_out)
    if cut.front == "open":
        inner = _drawn(lambda: _inner_for(rng, cut, held_out), held_out)
        return Outfit((lower, inner, cut), 2, False)
    tucked = _can_tuck(cut) and (_wide_skirt(lower) or rng.random() < 0.3)
    cuts: tuple[Cut, ...] = (cut, lower) if tucked else (lower, cut)
    wanted = cuts.index(cut)
    if cut.kind in ("tee", "tank") and cut.fit in ("tight", "slim", "regular") and rng.random() < 0.12:
        cuts = (*cuts, _open_jacket(rng, cut.sex, held_out))
    return Outfit(cuts, wanted, tucked)


def _drawn(draw: Callable[[], Cut], held_out: bool) -> Cut:
    """A cut from `draw` that still matches `held_out` after being adapted; for True, the last draw if none matches."""
    for _ in range(MAX_DRAWS):
        cut = draw()
        if held_out_cut(cut) == held_out:
            return cut
    if held_out:  # sufficient, because the garment to restore is not used for training
        return cut
    raise IGRError(f"{MAX_DRAWS} draws found no other clothes for training: widen the ranges that cuts are drawn from.")


def _inner_for(rng: np.random.Generator, over: Cut, held_out: bool) -> Cut:
    kind = str(rng.choice(["tee", "tank", "long_sleeve"], p=[0.6, 0.25, 0.15]))
    return _within(draw_cut(rng, kind, held_out, over.sex))


def _top_for(rng: np.random.Generator, lower: Cut, held_out: bool) -> Cut:
    kind = str(
        rng.choice(["tee", "long_sleeve", "tank", "crop_top", "blouse", "shirt"], p=[0.45, 0.1, 0.12, 0.15, 0.1, 0.08])
    )
    if lower.sex == "male" and kind in ("crop_top", "blouse"):
        kind = "tee"
    cut = draw_cut(rng, kind, held_out, lower.sex)
    return _shortened(cut) if not _wide_skirt(lower) else cut


def _lower_for(rng: np.random.Generator, top: Cut, held_out: bool) -> Cut:
    kind = str(
        rng.choice(
            ["trousers", "jeans", "shorts", "leggings", "a_line_skirt", "pencil_skirt"],
            p=[0.3, 0.4, 0.1, 0.05, 0.08, 0.07],
        )
    )
    if top.sex == "male" and kind in ("leggings", "a_line_skirt", "pencil_skirt"):
        kind = "jeans"
    if kind == "a_line_skirt" and not _can_tuck(top):
        kind = "jeans"
    return draw_cut(rng, kind, held_out, top.sex)


def _can_tuck(cut: Cut) -> bool:
    return cut.kind in TUCKABLE and cut.fit != "oversized" and cut.front != "open"


def _wide_skirt(cut: Cut) -> bool:
    return "skirt" in cut.kind and (cut.flare > 0.05 or cut.pleats > 0)


def _within(cut: Cut) -> Cut:
    """A top that fits beneath a jacket."""
    return replace(cut, fit="slim", ease=0.006, sleeve_ease=0.006, straight=0.35, length=min(cut.length, 0.8), puff=0.0)


def _shortened(cut: Cut) -> Cut:
    """A top that leaves most of the lower garment visible."""
    return replace(cut, length=min(cut.length, 0.56), hem="straight")


def _open_jacket(rng: np.random.Generator, sex: str, held_out: bool) -> Cut:
    for _ in range(30):
        cut = draw_cut(rng, str(rng.choice(["jacket", "cardigan"])), held_out, sex)
        if cut.front == "open":
            return cut
    return cut


def _length_name(cut: Cut) -> str:
    """A name for the garment's length."""
    if cut.category == "upper":
        return "cropped" if cut.length < 0.28 else "regular" if cut.length < 0.75 else "long"
    if cut.length < 1.55:
        return "mini"
    if cut.length < 2.15:
        return "knee"
    return "midi" if cut.length < 2.6 else "full"
