"""Draw random cuts, distributed similarly to those in a shop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from igr_core.errors import IGRError

from .base.cuts import KINDS, Cut, held_out_cut
from .styles import (
    CLOSER_FOR_WOMEN,
    FIT_EASE,
    FITS,
    LEGS,
    LENGTHS,
    NECK_SIZES,
    NECKLINE_OF,
    NECKS,
    SLEEVE_LENGTHS,
    SLEEVES,
    VARIED,
)


def draw_kind(rng: np.random.Generator, category: str) -> str:
    """Draw a random kind of garment in a category, with probabilities similar to those in shops."""
    if category not in KINDS:
        raise IGRError(f"Unknown category {category!r}: choose upper, lower or full.")
    names, shares = list(KINDS[category]), np.array(list(KINDS[category].values()), float)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def draw_cut(rng: np.random.Generator, kind: str, held_out: bool = False, sex: str | None = None) -> Cut:
    """Draw a random cut of a kind; with `held_out`, from the held-out cuts only.

    Raises:
        IGRError: if the kind is unknown, or if no suitable cut is found.
    """
    category = next((name for name, kinds in KINDS.items() if kind in kinds), None)
    if category is None:
        raise IGRError(f"Unknown kind of garment {kind!r}: choose one of garments.cuts.KINDS.")
    chosen = sex or str(rng.choice(["female", "male"], p=_sex_shares(kind, category)))
    cut = Cut(kind, category, chosen)
    for _ in range(500):
        cut = _cloth(rng, _DRAWN[category](rng, Cut(kind, category, chosen)))
        if held_out_cut(cut) == held_out:
            return cut
    raise IGRError(f"500 draws found no cut of kind {kind!r} with held_out={held_out}: widen the ranges for this kind.")


def _sex_shares(kind: str, category: str) -> tuple[float, float]:
    womens = category == "full" or "skirt" in kind or kind in ("blouse", "crop_top", "leggings")
    return (1.0, 0.0) if womens else (0.5, 0.5)


def _pick(rng: np.random.Generator, items: dict[str, float]) -> str:
    shares = np.array(list(items.values()), float)
    return list(items)[int(rng.choice(len(items), p=shares / shares.sum()))]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _upper(rng: np.random.Generator, cut: Cut) -> Cut:
    """Parameters of tops: neck, sleeves, body and hem."""
    kind = cut.kind
    close = CLOSER_FOR_WOMEN if cut.sex == "female" and cut.category == "upper" else {}
    fit = _pick(rng, {name: share * close.get(name, 1.0) for name, share in FITS[kind].items()})
    ease, sleeve_ease, straight = FIT_EASE[fit]
    necks = NECKS[kind] if cut.sex == "female" else {name: x for name, x in NECKS[kind].items() if name != "straps"}
    neck = _pick(rng, necks)
    widths, depths = NECK_SIZES[neck]
    sleeve = "none" if neck == "straps" else _pick(rng, SLEEVES[kind])
    knit = kind in ("sweater", "hoodie", "cardigan", "jacket")
    cut = replace(
        cut,
        fit=fit,
        neckline=NECKLINE_OF.get(neck, neck),
        collar=neck
        if neck in ("hood", "stand", "lapel")
        else {"collar": "polo" if kind == "polo" else "shirt"}.get(neck, "none"),
        neck_width=_between(rng, *widths),
        neck_depth=_between(rng, *depths),
        sleeve=sleeve,
        sleeve_length=_between(rng, *SLEEVE_LENGTHS[sleeve]),
        sleeve_ease=sleeve_ease * _between(rng, 0.8, 1.25) + (0.006 if knit else 0.0),
        drop=_between(rng, -0.005, 0.01) + {"loose": 0.02, "oversized": 0.045}.get(fit, 0.0),
        ease=ease * _between(rng, 0.8, 1.25) + (0.006 if knit else 0.0),
        straight=straight,
        length=_top_length(rng, cut) + {"oversized": 0.08, "loose": 0.03}.get(fit, 0.0),
        flare=_between(rng, 0.0, 0.1 if kind == "blouse" else 0.03),
    )
    return _finished_upper(rng, cut)


def _top_length(rng: np.random.Generator, cut: Cut) -> float:
    """Draw the length of a top: mostly regular; some tops for women are cropped, and some are long."""
    low, high = LENGTHS[cut.kind]
    lot = rng.random()
    if cut.kind in VARIED and cut.sex == "female" and lot < 0.14:
        low, high = -0.05, 0.2
    if cut.kind in VARIED and lot > 0.93:
        low, high = 0.75, 1.0
    return _between(rng, low, high)


def _finished_upper(rng: np.random.Generator, cut: Cut) -> Cut:
    """Typical details of each kind: bands, cuffs, fronts, pockets."""
    kind = cut.kind
    banded = cut.neckline in ("round", "v") and cut.collar == "none"
    if kind in ("tee", "long_sleeve", "tank", "crop_top") and banded and rng.random() < 0.85:
        cut = replace(cut, neck_band=_between(rng, 0.012, 0.022))
    if kind == "sweater":
        cut = replace(
            cut, neck_band=_between(rng, 0.02, 0.03), cuff=_between(rng, 0.04, 0.07), hem_band=_between(rng, 0.04, 0.07)
        )
    if kind == "hoodie":
        front = _pick(rng, {"closed": 3, "zip": 1})
        cut = replace(cut, cuff=0.06, hem_band=0.06, front=front, pockets="kangaroo")
    if kind in ("shirt", "shirt_dress") or (kind == "blouse" and cut.collar == "shirt"):
        cuff = 0.06 if cut.sleeve == "long" else 0.0
        pockets = "chest" if rng.random() < 0.35 and kind == "shirt" else "none"
        hem = "curved" if rng.random() < 0.6 and kind != "shirt_dress" else "straight"
        cut = replace(cut, front="buttons", cuff=cuff, pockets=pockets, hem=hem)
    if kind == "polo":
        cut = replace(cut, front="half_buttons", cuff=0.02 if cut.sleeve == "short" else 0.05)
    if kind == "blouse" and cut.sleeve == "long":
        cut = replace(cut, cuff=0.03, sleeve_flare=_between(rng, 0.0, 0.04), sleeve_ease=cut.sleeve_ease + 0.012)
    if kind in ("jacket", "cardigan"):
        cut = _layered(rng, cut)
    if kind in ("tee",) and rng.random() < 0.1:
        cut = replace(cut, pockets="chest")
    if (
        cut.sex == "female"
        and cut.sleeve in ("short", "elbow", "long")
        and kind in ("blouse", "a_line_dress", "maxi_dress", "crop_top")
    ):
        if rng.random() < 0.4:
            cut = replace(cut, puff=_between(rng, 0.012, 0.03))
    if kind == "tank" or (cut.sleeve == "none"):
        cut = replace(cut, drop=-_between(rng, 0.015, 0.05), neck_width=min(cut.neck_width, 0.098))
    if cut.neckline == "straps":
        fit = cut.fit if cut.fit in ("tight", "slim") else "slim"
        cut = replace(cut, drop=-0.012, fit=fit, ease=min(cut.ease, 0.006))
    if cut.category == "full":
        cut = _dress(rng, cut)
    return cut


def _layered(rng: np.random.Generator, cut: Cut) -> Cut:
    """Jackets and cardigans, worn open or closed."""
    front = "open" if rng.random() < 0.55 else ("buttons" if cut.kind == "cardigan" or cut.collar != "stand" else "zip")
    gap = _between(rng, 0.05, 0.13) if front == "open" else 0.0
    ribbed = cut.kind == "cardigan" or (cut.collar == "stand" and rng.random() < 0.6)
    return replace(
        cut,
        front=front,
        gap=gap,
        neck_band=_between(rng, 0.02, 0.03) if cut.collar == "none" else 0.0,
        cuff=_between(rng, 0.04, 0.06) if ribbed or cut.collar == "shirt" else 0.0,
        hem_band=_between(rng, 0.035, 0.055) if ribbed and cut.length < 0.9 else 0.0,
        pockets="patch" if rng.random() < 0.5 else "none",
    )


def _dress(rng: np.random.Generator, cut: Cut) -> Cut:
    """The lower half of dresses and jumpsuits."""
    straight = {"sheath_dress": 0.25, "shirt_dress": 0.6, "jumpsuit": 0.2}.get(cut.kind, 0.1)
    flare = {"sheath_dress": (-0.05, 0.06), "a_line_dress": (0.2, 0.5), "maxi_dress": (0.12, 0.4)}.get(
        cut.kind, (0.08, 0.2)
    )
    legs = cut.kind == "jumpsuit"
    leg_ease, leg_flare = (_between(rng, 0.012, 0.03), _between(rng, -0.005, 0.05)) if legs else (0.0, 0.0)
    if cut.kind == "jumpsuit" and rng.random() < 0.4:
        cut = replace(cut, front="buttons")
    return replace(
        cut,
        straight=straight * _between(rng, 0.7, 1.3),
        flare=_between(rng, *flare),
        legs=legs,
        leg_ease=leg_ease,
        leg_flare=leg_flare,
        drop=min(cut.drop, 0.01),
    )


def _lower(rng: np.random.Generator, cut: Cut) -> Cut:
    """Parameters of garments that hang from the waist."""
    kind = cut.kind
    length = _between(rng, *LENGTHS[kind])
    high = cut.sex == "female" and rng.random() < 0.6
    waist = _between(rng, -0.05, 0.1) if high else _between(rng, 0.2, 0.38)
    if "skirt" in kind:
        flares = {
            "a_line_skirt": (0.2, 0.55),
            "pencil_skirt": (-0.12, -0.02),
            "pleated_skirt": (0.15, 0.3),
            "mini_skirt": (0.05, 0.35),
        }
        flare = _between(rng, *flares[kind])
        fit = "slim" if flare < 0.05 else "regular" if flare < 0.35 else "loose"
        pleats = int(rng.choice([16, 20, 24])) if kind == "pleated_skirt" else 0
        band = _between(rng, 0.025, 0.045)
        return replace(
            cut,
            fit=fit,
            waist=_between(rng, -0.05, 0.2),
            length=length,
            flare=flare,
            pleats=pleats,
            waistband=band,
            ease=0.006,
        )
    fit = _pick(rng, {name: 1.0 for name in LEGS[kind]})
    ease, flare = LEGS[kind][fit]
    tight = kind == "leggings"
    return replace(
        cut,
        fit=fit,
        waist=waist,
        length=length,
        legs=True,
        ease=0.0015 if tight else 0.006 if fit == "slim" else 0.01,
        leg_ease=_between(rng, *ease),
        leg_flare=_between(rng, *flare),
        waistband=_between(rng, 0.05, 0.08) if tight else _between(rng, 0.032, 0.045),
        fly=not tight,
        pockets="none" if tight else "side",
    )


def _cloth(rng: np.random.Generator, cut: Cut) -> Cut:
    """Stiffness and excess of the cloth."""
    stiff = {"jeans": 0.12, "jacket": 0.12, "hoodie": 0.08, "sweater": 0.08, "pencil_skirt": 0.08, "leggings": 0.02}
    low = stiff.get(cut.kind, 0.015)
    bend = float(np.exp(rng.uniform(np.log(low), np.log(low * 3))))
    grow = 1.0 if cut.fit == "tight" or "skirt" in cut.kind else _between(rng, 1.0, 1.035)
    return replace(cut, bend=bend, grow=grow)


_DRAWN = {"upper": _upper, "lower": _lower, "full": _upper}
