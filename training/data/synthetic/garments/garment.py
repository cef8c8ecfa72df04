"""Design a garment: draw its style, cut its parts, and describe its attributes."""

import numpy as np

from .fulls import cut_full
from .lowers import cut_lower
from .parts import Garment
from .style import Style, coarsened, draw_style
from .uppers import cut_open_jacket, cut_upper

CUTTERS = {"upper": cut_upper, "lower": cut_lower, "full": cut_full}


def describe(style: Style) -> dict[str, str | float | bool]:
    """A garment's attributes, as JSON values."""
    item = style.prints[0] if style.prints else None
    lettering = item is not None and item.arrangement != "logo"
    attributes: dict[str, str | float | bool] = {
        "cut": style.cut,
        "neckline": style.neckline if style.category != "lower" else "none",
        "sleeve": style.sleeve,
        "sleeve_style": style.sleeve_style,
        "hem": style.hem,
        "pattern": style.cloth.kind,
        "pattern_scale": round(style.cloth.period, 4),
        "pockets": style.pockets,
        "text": item.text if item is not None and (lettering or item.logo == "number") else "",
        "print": item.arrangement if item is not None else "none",
        "logo": item.logo if item is not None and item.arrangement in ("logo", "text_shape") else "none",
        "text_height": round(item.height, 4) if item is not None else 0.0,
    }
    for k, colour in enumerate(style.cloth.colours):
        attributes[f"colour_{k + 1}"] = "#{:02x}{:02x}{:02x}".format(*colour)
    return attributes


def open_jacket(rng: np.random.Generator) -> Garment:
    """An open jacket, worn over the requested garment."""
    style = draw_style(rng, "upper", "jacket", plain=True)
    return Garment("upper", "jacket", tuple(cut_open_jacket(style)), describe(style), 0.4, 0.1)


def design(
    rng: np.random.Generator, category: str, cut: str | None = None, plain: bool = False, coarse: float = 0.0
) -> Garment:
    """Design one garment of a category ("upper", "lower", "full"); `coarse` as in make_pair."""
    style = coarsened(draw_style(rng, category, cut, plain), coarse)
    arm = float(np.radians(rng.uniform(14, 30) if style.sleeve == "long" else rng.uniform(28, 48)))
    leg = float(np.radians(rng.uniform(9, 13) if style.cut == "shorts" else rng.uniform(4, 7)))
    return Garment(category, style.cut, tuple(CUTTERS[category](style)), describe(style), arm, leg)
