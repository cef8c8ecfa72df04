"""Random choice of a garment's style: cut, neckline, sleeves, length, cloth, print."""

from dataclasses import dataclass, replace

import numpy as np

from ..art.lettering import TALLNESS, Print, draw_print
from ..art.palette import DENIM, Rgb, contrasting, garment_colours, luminance, mixed, pick, scaled
from ..art.textures import Pattern, draw_pattern, solid

CUTS: dict[str, tuple[str, ...]] = {
    "upper": ("tee", "long_sleeve", "shirt", "blouse", "polo", "hoodie", "tank", "jacket", "crop_top"),
    "lower": ("trousers", "jeans", "shorts", "leggings", "pencil_skirt", "a_line_skirt", "pleated_skirt", "mini_skirt"),
    "full": ("sheath_dress", "a_line_dress", "maxi_dress", "shirt_dress", "jumpsuit", "overalls"),
}
CATEGORIES = ("upper", "lower", "full")
DETAILED = ("tartan", "flowers", "stars", "hearts")
LONGEST_SPAN = 0.4  # maximum length that `coarse` is a fraction of, because long trouser legs are still narrow
NECKLINES = ("crew", "v", "scoop", "boat", "square")
SLEEVES = {"none": 0.0, "cap": 0.055, "short": 0.11, "elbow": 0.165, "long": 0.285}
FIXED_NECK = {"shirt": "shirt", "polo": "shirt", "hoodie": "hood", "jacket": "shirt", "shirt_dress": "shirt"}
SLEEVES_OF: dict[str, tuple[str, ...]] = {
    "tee": ("cap", "short", "short", "elbow"),
    "long_sleeve": ("long",),
    "shirt": ("short", "long", "long"),
    "blouse": ("short", "elbow", "long"),
    "polo": ("short",),
    "hoodie": ("long",),
    "tank": ("none",),
    "jacket": ("long",),
    "crop_top": ("none", "cap", "short", "long"),
    "sheath_dress": ("none", "cap", "short", "long"),
    "a_line_dress": ("none", "cap", "short", "elbow"),
    "maxi_dress": ("none", "short", "long"),
    "shirt_dress": ("short", "elbow", "long"),
    "jumpsuit": ("none", "short", "long"),
    "overalls": ("none",),
}
LENGTHS: dict[str, tuple[float, float]] = {
    "tee": (0.33, 0.39),
    "long_sleeve": (0.33, 0.39),
    "shirt": (0.36, 0.42),
    "blouse": (0.31, 0.38),
    "polo": (0.34, 0.39),
    "hoodie": (0.33, 0.39),
    "tank": (0.31, 0.38),
    "jacket": (0.33, 0.4),
    "crop_top": (0.2, 0.25),
    "trousers": (0.72, 0.78),
    "jeans": (0.73, 0.78),
    "shorts": (0.46, 0.56),
    "leggings": (0.7, 0.77),
    "pencil_skirt": (0.52, 0.6),
    "a_line_skirt": (0.46, 0.62),
    "pleated_skirt": (0.45, 0.62),
    "mini_skirt": (0.4, 0.45),
    "sheath_dress": (0.48, 0.58),
    "a_line_dress": (0.48, 0.6),
    "maxi_dress": (0.68, 0.76),
    "shirt_dress": (0.48, 0.62),
    "jumpsuit": (0.7, 0.77),
    "overalls": (0.68, 0.77),
}


@dataclass(frozen=True)
class Style:
    """All random choices for a garment, made before its parts are cut."""

    category: str
    cut: str
    neckline: str
    neck_width: float
    neck_depth: float
    sleeve: str
    sleeve_length: float
    sleeve_style: str  # straight, puff, bell
    hem: str  # straight, curved, slit
    length: float  # position of the hem along the spine
    ease: float  # looseness of the cloth, 0..1
    cloth: Pattern
    sleeve_cloth: Pattern
    trim: Rgb  # hems, ribs, collar
    button: Rgb
    prints: tuple[Print, ...]
    print_at: str  # "", "chest", "leg"
    pockets: bool
    detail: int  # seed of small details


def _choice(rng: np.random.Generator, items: tuple[str, ...]) -> str:
    return items[int(rng.integers(len(items)))]


def _cloth(rng: np.random.Generator, cut: str, span: tuple[float, float]) -> Pattern:
    if cut == "jeans" or (cut == "overalls" and rng.random() < 0.6):
        return solid(pick(rng, DENIM))
    colours = garment_colours(rng)
    if cut == "jacket" and rng.random() < 0.3:
        return solid(colours[0])
    cloth = draw_pattern(rng, colours, span)
    if cut == "leggings" and cloth.kind == "contrast_sleeves":
        return solid(colours[0])
    return cloth


def _print(
    rng: np.random.Generator, category: str, cut: str, length: float, top: float, base: Rgb
) -> tuple[tuple[Print, ...], str]:
    share = {"upper": 0.45, "full": 0.3, "lower": 0.12}[category]
    if rng.random() > share or cut in ("shirt", "shirt_dress"):
        return (), ""
    colour = contrasting(rng, base, ((250, 250, 250), (24, 24, 28), (206, 44, 52), (240, 186, 44), (44, 84, 188)), 85)
    second = contrasting(rng, colour, ((250, 250, 250), (24, 24, 28), base), 85)
    if category == "lower":
        if "skirt" in cut:
            middle, width = 0.55 * length + 0.45 * 0.2, 0.16
        else:
            middle, width = float(rng.uniform(0.43, 0.5)), 0.075
        item = draw_print(rng, (0.0, middle), (width, 0.14), length - 0.2, (colour, second))
        return (item,), "leg"
    # between the deepest neckline that allows a print and the waist, pocket or hem below it
    below = {"hoodie": length - 0.112, "crop_top": length - 0.018, "overalls": 0.195}.get(cut, 0.25)
    above = {"polo": 0.13, "overalls": 0.09, "hoodie": 0.082}.get(cut, 0.068)
    if category == "full":
        below = 0.195
    width = 0.085 if cut == "overalls" else {"upper": 0.15, "full": 0.138}[category]
    item = draw_print(rng, (0.0, 0.0), (width, below - above), min(length, 0.42), (colour, second))
    half = item.height * TALLNESS[item.arrangement] / 2
    middle = float(np.clip(rng.uniform(0.12, 0.165), above + half, max(below - half, above + half)))
    item = replace(item, centre=(0.0, middle))
    return (item,), "chest"


def _hem(rng: np.random.Generator, category: str, cut: str) -> str:
    hem = _choice(rng, ("straight", "straight", "curved", "slit"))
    if cut in ("trousers", "jeans", "shorts", "leggings", "jumpsuit", "overalls", "mini_skirt", "hoodie", "jacket"):
        return "straight"
    return "slit" if hem == "curved" and category != "upper" else hem


def _neck(rng: np.random.Generator, neckline: str, printed: bool) -> tuple[float, float]:
    """Width and depth of the neckline, which is shallow above a print."""
    deep = {"crew": 0.028, "v": 0.085, "scoop": 0.07, "boat": 0.02, "square": 0.06}.get(neckline, 0.035)
    wide = {"crew": 0.04, "v": 0.045, "scoop": 0.058, "boat": 0.07, "square": 0.056}.get(neckline, 0.038)
    deep *= float(rng.uniform(0.9, 1.15))
    return wide * float(rng.uniform(0.93, 1.08)), min(deep, 0.046) if printed else deep


def _dressed_cloth(
    rng: np.random.Generator, category: str, cut: str, span: tuple[float, float], plain: bool
) -> tuple[Pattern, tuple[Print, ...], str]:
    """The cloth, its prints, and their position."""
    cloth = _cloth(rng, cut, span)
    base = cloth.colours[0]
    prints, at = _print(rng, category, cut, span[1], span[0], base)
    if prints and cloth.kind not in ("solid", "contrast_sleeves", "gradient"):
        if prints[0].arrangement != "badge":  # letters directly on a pattern are illegible
            cloth = Pattern("solid", cloth.colours, cloth.period, cloth.duty, cloth.seed, cloth.span)
    if cut == "jacket" and prints:
        prints, at = (), ""
    if plain:
        prints, at = (), ""
    return cloth, prints, at


def draw_style(rng: np.random.Generator, category: str, cut: str | None = None, plain: bool = False) -> Style:
    """Draw the style of one garment; `plain` omits prints (for the other clothes in the photo)."""
    cut = cut or _choice(rng, CUTS[category])
    low, high = LENGTHS[cut]
    length = float(rng.uniform(low, high))
    top = 0.2 if category == "lower" else 0.0
    cloth, prints, at = _dressed_cloth(rng, category, cut, (top, length), plain)
    base = cloth.colours[0]
    neckline = FIXED_NECK.get(cut) or _choice(rng, NECKLINES)
    if cut == "overalls":
        neckline = "bib"
    sleeve = _choice(rng, SLEEVES_OF[cut]) if cut in SLEEVES_OF else "none"
    if sleeve == "none" and cloth.kind == "contrast_sleeves":
        cloth = replace(cloth, kind="solid" if prints else ("blocks" if category == "full" else "dots"))
    styled = cut in ("blouse", "maxi_dress", "a_line_dress") and sleeve not in ("none", "cap")
    sleeve_style = _choice(rng, ("puff", "bell", "straight")) if styled else "straight"
    stretch = float(rng.uniform(0.92, 1.08))
    contrast = cloth.kind == "contrast_sleeves"
    sleeve_cloth = solid(cloth.colours[1]) if contrast else cloth
    if cloth.kind in ("blocks", "chest_band", "gradient"):
        sleeve_cloth = solid(base)
    rib = rng.random()
    trim = base if rib < 0.5 else (cloth.colours[1] if rib < 0.8 or contrast else scaled(base, 0.75))
    button = (236, 230, 216) if luminance(base) < 140 else mixed(base, (30, 24, 24), 0.7)
    hem = _hem(rng, category, cut)
    wide, deep = _neck(rng, neckline, at == "chest")
    return Style(
        category,
        cut,
        neckline,
        wide,
        deep,
        sleeve,
        SLEEVES[sleeve] * stretch,
        sleeve_style,
        hem,
        length,
        float(rng.uniform(0, 1)),
        cloth,
        sleeve_cloth,
        trim,
        button,
        prints,
        at,
        bool(rng.random() < 0.45),
        int(rng.integers(1 << 16)),
    )


def coarsened(style: Style, coarse: float) -> Style:
    """The style with a pattern whose repeat is at least `coarse` of the garment's length, slightly more for motifs."""
    least = coarse * min(style.length - style.cloth.span[0], LONGEST_SPAN)
    if style.cloth.kind in DETAILED:
        least *= 1.3

    def wider(cloth: Pattern) -> Pattern:
        return replace(cloth, period=max(cloth.period, least))

    return replace(style, cloth=wider(style.cloth), sleeve_cloth=wider(style.sleeve_cloth))
