"""Every number of a garment's cut, and how garments are drawn by lot as a shop stocks them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from igr_core.errors import IGRError

KINDS: dict[str, dict[str, float]] = {
    "upper": {
        "tee": 26, "long_sleeve": 8, "shirt": 9, "polo": 5, "blouse": 8, "hoodie": 8, "sweater": 9, "jacket": 6,
        "cardigan": 5, "tank": 8, "crop_top": 8,
    },
    "lower": {
        "trousers": 22, "jeans": 20, "shorts": 13, "leggings": 8, "a_line_skirt": 12, "pencil_skirt": 8,
        "pleated_skirt": 8, "mini_skirt": 9,
    },
    "full": {"sheath_dress": 22, "a_line_dress": 34, "maxi_dress": 18, "shirt_dress": 12, "jumpsuit": 14},
}  # fmt: skip
"""Shares of the kinds within each category."""

Sleeve = Literal["none", "cap", "short", "elbow", "long"]
SLEEVE_LENGTHS: dict[str, tuple[float, float]] = {
    "none": (0.0, 0.0), "cap": (0.15, 0.2), "short": (0.26, 0.42), "elbow": (0.46, 0.6), "long": (0.97, 1.05),
}  # fmt: skip
"""Shares of the arm from shoulder joint to wrist."""

HELD_OUT_ONE_IN = 9
"""About one in so many combinations of features is never used for training."""


@dataclass(frozen=True)
class Cut:
    """One garment's cut. Lengths along the body are told in `levels`: 0 waist, 1 crotch, 2 knee, 3 ankle."""

    kind: str
    """One of KINDS."""
    category: str
    """upper, lower or full."""
    sex: str = "female"
    """Template body it is cut on: female or male."""
    fit: str = "regular"
    """tight, slim, regular, loose or oversized."""
    neckline: str = "none"
    """round, v, boat, scoop, square, high, or none for lowers."""
    neck_width: float = 0.08
    """Half the width of the neck hole, metres."""
    neck_depth: float = 0.07
    """How far it falls in front, metres."""
    neck_band: float = 0.0
    """Width of the band around the neck hole, metres; 0 for none."""
    collar: str = "none"
    """none, shirt, polo, stand, hood or lapel."""
    sleeve: str = "none"
    """none, cap, short, elbow or long."""
    sleeve_length: float = 0.0
    """Share of the arm."""
    sleeve_ease: float = 0.015
    """Distance from the arm at its middle, metres."""
    sleeve_flare: float = 0.0
    """Further distance at the cuff, metres; negative narrows."""
    puff: float = 0.0
    """Further distance at the shoulder, metres."""
    cuff: float = 0.0
    """Width of a cuff, metres; 0 for a plain hem."""
    drop: float = 0.0
    """How far the armhole lies beyond the shoulder, metres; negative bares the shoulder where there are no sleeves."""
    ease: float = 0.015
    """Distance from the torso, metres."""
    straight: float = 0.6
    """0 follows the waist, 1 falls straight from the chest or the hips."""
    waist: float = 0.0
    """Level of a lower's top edge: 0 at the natural waist, about 0.3 on the hips."""
    length: float = 1.0
    """Level of the hem in front."""
    hem: str = "straight"
    """straight or curved."""
    hem_band: float = 0.0
    """Width of a ribbed hem or 0, metres."""
    front: str = "closed"
    """closed, buttons, half_buttons, zip, or open."""
    gap: float = 0.0
    """How far an open front stands apart at the hem, metres, to each side."""
    pockets: str = "none"
    """none, kangaroo, chest, patch or side."""
    waistband: float = 0.0
    """Width of the waistband, metres."""
    fly: bool = False
    """Whether there is a fly."""
    legs: bool = False
    """Whether the lower part has legs rather than a skirt."""
    leg_ease: float = 0.012
    """Distance from the leg at the knee, metres."""
    leg_flare: float = 0.0
    """Further distance at the ankle, metres; negative narrows."""
    flare: float = 0.1
    """How much a skirt widens: metres outwards for each metre down."""
    pleats: int = 0
    """Number of pleats of a skirt, 0 for none."""
    bend: float = 0.02
    """Stiffness against bending, 0..1."""
    grow: float = 1.02
    """Cloth in excess, as a factor on lengths; makes creases."""

    @property
    def top(self) -> bool:
        """Whether it hangs from the shoulders."""
        return self.category != "lower"

    def features(self) -> str:
        """The coarse features by which held-out cuts are told from the others."""
        levels = f"{round(self.length * 10)}/{round(self.waist * 10)}/{round(self.sleeve_length * 10)}"
        return f"{self.kind}/{self.neckline}/{self.sleeve}/{self.fit}/{self.front}/{levels}"


def held_out_cut(cut: Cut) -> bool:
    """Whether a cut's combination of features is kept from training."""
    return zlib.crc32(cut.features().encode()) % HELD_OUT_ONE_IN == 0


def draw_kind(rng: np.random.Generator, category: str) -> str:
    """A kind, as often as shops sell it."""
    if category not in KINDS:
        raise IGRError(f"Unknown category {category!r}: choose upper, lower or full.")
    names, shares = list(KINDS[category]), np.array(list(KINDS[category].values()), float)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def draw_cut(rng: np.random.Generator, kind: str, held_out: bool = False, sex: str | None = None) -> Cut:
    """A cut of a kind; `held_out` chooses among those that training never sees.

    Raises:
        IGRError: if the kind is unknown, or has no cut of the wanted sort.
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
    raise IGRError(
        f"No cut of kind {kind!r} with held_out={held_out} in 500 draws: widen what its cuts are drawn from."
    )


def _sex_shares(kind: str, category: str) -> tuple[float, float]:
    womens = category == "full" or "skirt" in kind or kind in ("blouse", "crop_top", "leggings")
    return (1.0, 0.0) if womens else (0.5, 0.5)


def _pick(rng: np.random.Generator, items: dict[str, float]) -> str:
    shares = np.array(list(items.values()), float)
    return list(items)[int(rng.choice(len(items), p=shares / shares.sum()))]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


FIT_EASE: dict[str, tuple[float, float, float]] = {
    "tight": (0.003, 0.005, 0.05), "slim": (0.006, 0.007, 0.4), "regular": (0.013, 0.013, 0.8),
    "loose": (0.026, 0.022, 0.9), "oversized": (0.042, 0.034, 1.0),
}  # fmt: skip
"""Ease of torso and sleeves in metres, and how straight the sides fall."""

CLOSER_FOR_WOMEN = {"tight": 2.0, "slim": 2.5}
"""Factors on the shares of close fits in tops for women."""

VARIED = ("tee", "long_sleeve", "tank", "sweater", "hoodie", "blouse")
"""Tops that are also sold cropped and long."""

_FITS: dict[str, dict[str, float]] = {
    "tee": {"slim": 2, "regular": 5, "loose": 3, "oversized": 2},
    "long_sleeve": {"tight": 1, "slim": 3, "regular": 4, "oversized": 1},
    "shirt": {"slim": 2, "regular": 4, "loose": 2, "oversized": 1}, "polo": {"slim": 2, "regular": 4, "loose": 1},
    "blouse": {"slim": 1, "regular": 3, "loose": 3}, "hoodie": {"regular": 3, "loose": 3, "oversized": 3},
    "sweater": {"slim": 1.5, "regular": 4, "loose": 3, "oversized": 2}, "jacket": {"regular": 4, "loose": 2},
    "cardigan": {"slim": 1, "regular": 3, "loose": 2}, "tank": {"tight": 3, "slim": 3, "regular": 3, "loose": 1},
    "crop_top": {"tight": 4, "slim": 3, "regular": 2, "loose": 1},
    "sheath_dress": {"tight": 2, "slim": 4, "regular": 2}, "a_line_dress": {"slim": 4, "regular": 3},
    "maxi_dress": {"slim": 3, "regular": 3}, "shirt_dress": {"regular": 3, "loose": 2},
    "jumpsuit": {"slim": 2, "regular": 3},
}  # fmt: skip

_NECKS: dict[str, dict[str, float]] = {
    "tee": {"round": 7, "v": 2.5, "scoop": 1, "boat": 0.5}, "long_sleeve": {"round": 5, "v": 2, "high": 2, "boat": 1},
    "shirt": {"collar": 1}, "polo": {"collar": 1}, "blouse": {"v": 4, "round": 2, "square": 1, "collar": 2, "boat": 1},
    "hoodie": {"hood": 1}, "sweater": {"round": 5, "v": 2, "high": 3}, "jacket": {"collar": 3, "stand": 3, "lapel": 2},
    "cardigan": {"v": 4, "round": 2}, "tank": {"round": 3, "scoop": 4, "v": 2, "square": 1},
    "crop_top": {"round": 3, "square": 2, "scoop": 3, "v": 2}, "shirt_dress": {"collar": 1},
    "sheath_dress": {"round": 3, "v": 2, "boat": 2, "square": 1, "high": 1},
    "jumpsuit": {"v": 3, "round": 2, "square": 1},
    "a_line_dress": {"round": 3, "v": 3, "square": 1, "scoop": 2},
    "maxi_dress": {"v": 3, "scoop": 2, "round": 2, "square": 1},
}  # fmt: skip

_SLEEVES: dict[str, dict[str, float]] = {
    "tee": {"cap": 0.6, "short": 8, "elbow": 1}, "long_sleeve": {"long": 1}, "shirt": {"long": 3, "short": 1},
    "polo": {"short": 6, "long": 1}, "blouse": {"short": 2, "elbow": 1, "long": 4}, "hoodie": {"long": 1},
    "sweater": {"long": 1}, "jacket": {"long": 1}, "cardigan": {"long": 1}, "tank": {"none": 1},
    "crop_top": {"none": 4, "cap": 1, "short": 3, "long": 2},
    "sheath_dress": {"none": 4, "cap": 2, "short": 2, "long": 1},
    "a_line_dress": {"none": 4, "cap": 1, "short": 3, "elbow": 1}, "maxi_dress": {"none": 4, "short": 2, "long": 2},
    "shirt_dress": {"short": 2, "elbow": 1, "long": 2}, "jumpsuit": {"none": 3, "short": 2, "long": 2},
}  # fmt: skip

_LENGTHS: dict[str, tuple[float, float]] = {
    "tee": (0.36, 0.66), "long_sleeve": (0.36, 0.66), "shirt": (0.5, 0.85), "polo": (0.42, 0.66), "blouse": (0.3, 0.66),
    "hoodie": (0.36, 0.6), "sweater": (0.3, 0.6), "jacket": (0.3, 0.7), "cardigan": (0.35, 1.0), "tank": (0.3, 0.64),
    "crop_top": (-0.35, 0.1), "sheath_dress": (1.5, 2.15), "a_line_dress": (1.45, 2.2), "maxi_dress": (2.5, 2.88),
    "shirt_dress": (1.5, 2.3), "jumpsuit": (2.55, 2.85), "trousers": (2.7, 2.95), "jeans": (2.75, 2.95),
    "shorts": (1.22, 1.85), "leggings": (2.6, 2.95), "a_line_skirt": (1.5, 2.45), "pencil_skirt": (1.65, 2.15),
    "pleated_skirt": (1.4, 2.3), "mini_skirt": (1.22, 1.48),
}  # fmt: skip

_NECK_SIZES: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "round": ((0.075, 0.09), (0.06, 0.085)), "v": ((0.078, 0.092), (0.13, 0.19)),
    "boat": ((0.115, 0.135), (0.03, 0.045)),
    "scoop": ((0.09, 0.11), (0.11, 0.15)), "square": ((0.092, 0.112), (0.1, 0.135)),
    "high": ((0.075, 0.075), (0.05, 0.05)),
    "collar": ((0.064, 0.068), (0.052, 0.06)), "stand": ((0.066, 0.072), (0.055, 0.065)),
    "hood": ((0.078, 0.085), (0.07, 0.085)),
    "lapel": ((0.076, 0.08), (0.2, 0.26)),
}  # fmt: skip


def _upper(rng: np.random.Generator, cut: Cut) -> Cut:
    """What hangs from the shoulders: neck, sleeves, body and hem."""
    kind = cut.kind
    close = CLOSER_FOR_WOMEN if cut.sex == "female" and cut.category == "upper" else {}
    fit = _pick(rng, {name: share * close.get(name, 1.0) for name, share in _FITS[kind].items()})
    ease, sleeve_ease, straight = FIT_EASE[fit]
    neck = _pick(rng, _NECKS[kind])
    widths, depths = _NECK_SIZES[neck]
    sleeve = _pick(rng, _SLEEVES[kind])
    knit = kind in ("sweater", "hoodie", "cardigan", "jacket")
    cut = replace(
        cut,
        fit=fit,
        neckline=_NECKLINE_OF.get(neck, neck),
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
    """Most are of regular length, some tops for women are cropped, and some are long."""
    low, high = _LENGTHS[cut.kind]
    lot = rng.random()
    if cut.kind in VARIED and cut.sex == "female" and lot < 0.14:
        low, high = -0.05, 0.2
    if cut.kind in VARIED and lot > 0.93:
        low, high = 0.75, 1.0
    return _between(rng, low, high)


_NECKLINE_OF = {"collar": "round", "stand": "round", "hood": "round", "lapel": "v"}


def _finished_upper(rng: np.random.Generator, cut: Cut) -> Cut:
    """What is typical of each kind: bands, cuffs, fronts, pockets."""
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
    if cut.category == "full":
        cut = _dress(rng, cut)
    return cut


def _layered(rng: np.random.Generator, cut: Cut) -> Cut:
    """Jackets and cardigans: worn open or closed."""
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


_LEGS: dict[str, dict[str, tuple[tuple[float, float], tuple[float, float]]]] = {
    "trousers": {
        "slim": ((0.006, 0.01), (-0.004, 0.004)), "regular": ((0.014, 0.022), (0.0, 0.012)),
        "loose": ((0.03, 0.045), (0.01, 0.05)),
    },
    "jeans": {
        "slim": ((0.004, 0.008), (-0.003, 0.004)), "regular": ((0.012, 0.02), (0.0, 0.012)),
        "loose": ((0.024, 0.038), (0.005, 0.035)),
    },
    "shorts": {
        "slim": ((0.008, 0.014), (0.0, 0.01)), "regular": ((0.018, 0.03), (0.01, 0.03)),
        "loose": ((0.03, 0.045), (0.02, 0.05)),
    },
    "leggings": {"tight": ((0.0015, 0.0025), (0.0, 0.0))},
}  # fmt: skip


def _lower(rng: np.random.Generator, cut: Cut) -> Cut:
    """What hangs from the waist."""
    kind = cut.kind
    length = _between(rng, *_LENGTHS[kind])
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
    fit = _pick(rng, {name: 1.0 for name in _LEGS[kind]})
    ease, flare = _LEGS[kind][fit]
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
