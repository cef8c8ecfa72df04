"""Drawing lots for everything that is painted: what shops sell, on people of all colours, before all kinds of walls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.data.synthetic.palette import (
    DENIM,
    LIGHT,
    Rgb,
    contrasting,
    garment_colours,
    luminance,
    mixed,
    pick,
    scaled,
)
from training.data.synthetic.textures import Pattern, solid

from ..panels import Panel
from . import allover
from .fabrics import Fabric
from .materials import Cloth, Coat, Dress, Ground
from .prints import Placed, aspect, draw_art
from .skin import draw_skin

NEUTRAL: tuple[Rgb, ...] = (
    (26, 26, 29), (26, 26, 29), (247, 246, 243), (247, 246, 243), (34, 40, 62), (168, 168, 170), (92, 93, 98),
    (214, 200, 176), (226, 218, 204), (112, 112, 84), (128, 98, 70), (62, 48, 42), (188, 168, 136), (126, 34, 48),
    (196, 176, 168), (130, 148, 164),
)  # fmt: skip
"""What most clothes are: black, white, navy, greys, beiges, browns."""
LEATHER: tuple[Rgb, ...] = ((30, 27, 27), (30, 27, 27), (92, 58, 38), (134, 88, 54), (70, 34, 34), (190, 160, 124))
TROUSERS: tuple[Rgb, ...] = (
    (28, 28, 31), (40, 44, 58), (186, 168, 138), (96, 96, 76), (84, 84, 90), (112, 84, 62), (228, 222, 210),
    (150, 148, 142),
)  # fmt: skip

PERIODS: dict[str, tuple[float, float]] = {
    "stripes_h": (0.018, 0.09), "stripes_v": (0.014, 0.07), "stripes_d": (0.03, 0.11), "gingham": (0.012, 0.05),
    "checks": (0.02, 0.08), "tartan": (0.06, 0.15), "dots": (0.018, 0.07), "flowers": (0.045, 0.11),
    "camouflage": (0.09, 0.16), "stars": (0.04, 0.1), "hearts": (0.04, 0.1),
}  # fmt: skip
"""Shortest and longest repeat in metres of the patterns of textures.PATTERNS."""

HELD_OUT_PATTERNS = ("argyle", "terrazzo", "stars")
"""Patterns that only the held-out set uses."""


@dataclass(frozen=True)
class Family:
    """How a kind of garment is usually made."""

    weaves: dict[str, float]
    """Shares of weaves."""
    patterned: float
    """Share of garments that are not plain."""
    patterns: tuple[str, ...]
    """Patterns they have, all as likely."""
    printed: float
    """Share of the plain ones that have a print."""
    trimmed: float
    """Share whose trims or ribs are of another colour."""


_BANDS = ("stripes_h", "stripes_h", "stripes_h", "uneven_stripes", "blocks", "chest_band", "contrast_sleeves")
_WOVEN = (
    "stripes_v", "stripes_v", "pinstripe", "gingham", "gingham", "tartan", "tartan", "checks", "windowpane", "dots",
    "ditsy_floral", "meadow", "stripes_h", "houndstooth", "terrazzo",
)  # fmt: skip
_PRINTED = (
    "dots", "flowers", "large_floral", "large_floral", "ditsy_floral", "ditsy_floral", "meadow", "tropical", "leopard",
    "zebra", "paisley", "geometric", "strokes", "hearts", "stars", "stripes_v", "stripes_h", "stripes_d", "tie_dye",
    "gradient", "gingham", "checks", "terrazzo",
)  # fmt: skip
_SPORTY = ("camouflage", "tie_dye", "gradient", "blocks", "stripes_d", "stars", "hearts", "dots", "checks")
_COARSE = ("stripes_h", "stripes_h", "uneven_stripes", "fair_isle", "fair_isle", "argyle", "chest_band", "blocks")
_TWEED = ("houndstooth", "herringbone", "windowpane", "tartan", "pinstripe", "checks")

FAMILIES: dict[str, Family] = {
    "tee": Family({"jersey": 0.7, "melange": 0.2, "rib": 0.1}, 0.34, _BANDS + _SPORTY + _PRINTED[:10], 0.66, 0.25),
    "polo": Family({"jersey": 0.4, "waffle": 0.4, "knit": 0.2}, 0.35, _BANDS + ("checks",), 0.15, 0.4),
    "hoodie": Family({"fleece": 0.5, "melange": 0.5}, 0.22, _SPORTY + _BANDS, 0.6, 0.25),
    "shirt": Family({"plain": 0.5, "linen": 0.2, "twill": 0.12, "denim": 0.12, "satin": 0.06}, 0.55, _WOVEN, 0.03, 0.1),
    "blouse": Family({"plain": 0.45, "satin": 0.35, "linen": 0.2}, 0.5, _PRINTED, 0.0, 0.12),
    "knit": Family({"knit": 0.38, "chunky": 0.18, "rib": 0.24, "cable": 0.12, "boucle": 0.08}, 0.3, _COARSE, 0.06, 0.2),
    "jacket": Family(
        {"twill": 0.26, "denim": 0.2, "leather": 0.18, "quilted": 0.1, "boucle": 0.1, "corduroy": 0.08, "fleece": 0.08},
        0.15, _TWEED + ("camouflage", "blocks"), 0.08, 0.25,
    ),
    "jeans": Family({"denim": 1.0}, 0.0, ("dots",), 0.0, 0.0),
    "trousers": Family(
        {"twill": 0.5, "plain": 0.14, "linen": 0.14, "corduroy": 0.12, "leather": 0.05, "satin": 0.05},
        0.16, _TWEED + ("stripes_v", "camouflage", "ditsy_floral"), 0.02, 0.04,
    ),
    "shorts": Family(
        {"twill": 0.34, "denim": 0.26, "jersey": 0.2, "linen": 0.2}, 0.26,
        _WOVEN + ("camouflage", "tropical"), 0.14, 0.2,
    ),
    "leggings": Family({"jersey": 0.9, "leather": 0.1}, 0.25, _SPORTY + ("leopard", "zebra", "geometric"), 0.12, 0.2),
    "skirt": Family(
        {"plain": 0.3, "twill": 0.2, "satin": 0.2, "denim": 0.14, "leather": 0.08, "corduroy": 0.08},
        0.45, _PRINTED + _TWEED, 0.0, 0.1,
    ),
    "dress": Family(
        {"plain": 0.4, "jersey": 0.2, "satin": 0.18, "linen": 0.12, "knit": 0.05, "denim": 0.05},
        0.55, _PRINTED, 0.05, 0.1,
    ),
}  # fmt: skip

KINDS: tuple[tuple[str, str], ...] = (
    ("jeans", "jeans"), ("legging", "leggings"), ("short_", "tee"), ("shorts", "shorts"), ("trouser", "trousers"),
    ("skirt", "skirt"), ("dress", "dress"), ("jumpsuit", "dress"), ("overall", "jeans"), ("polo", "polo"),
    ("hoodie", "hoodie"), ("sweatshirt", "hoodie"), ("sweater", "knit"), ("cardigan", "knit"), ("jacket", "jacket"),
    ("coat", "jacket"), ("blazer", "jacket"), ("blouse", "blouse"), ("tee", "tee"), ("shirt", "shirt"),
)  # fmt: skip
"""Family of a cut by a part of its name; the first that fits counts."""

GLOSS = {"satin": 0.3, "leather": 0.75, "quilted": 0.15, "jersey": 0.012, "twill": 0.02}
PALE_STITCH: Rgb = (206, 154, 84)
"""Thread of jeans."""


def family_of(cut: str) -> str:
    """Which of FAMILIES a cut of that name belongs to; tee for tops and names unknown."""
    return next((family for part, family in KINDS if part in cut), "tee")


def draw_dress(
    rng: np.random.Generator, panels: Sequence[Panel], attributes: Mapping[str, str], held_out: bool = False
) -> Dress:
    """Draw everything that is painted on a person in a set.

    panels: all panels of the scene, to fit prints into. attributes: "cut" names the garment's cut, "other_1" and
    "other_2" those of the clothes worn with it; what is missing is guessed from the panels. held_out: only words, and
    patterns, that training never sees.
    """
    garment = _cloth(rng, "garment", panels, attributes, held_out)
    others = [_cloth(rng, kind, panels, attributes, held_out) for kind in ("other_1", "other_2")]
    wall, floor = _grounds(rng, panels)
    return Dress(garment, *others, draw_skin(rng), _shoe(rng), _bag(rng), wall, floor)


def _cut_of(kind: str, panels: Sequence[Panel], attributes: Mapping[str, str]) -> str:
    named = attributes.get("cut" if kind == "garment" else kind, "")
    if named:
        return named
    roles = {panel.role for panel in panels if panel.kind == kind}
    if "leg" in roles:
        return "trousers" if "body" not in roles else "jumpsuit"
    return "skirt" if "skirt" in roles and "body" not in roles else "tee"


def _cloth(
    rng: np.random.Generator, kind: str, panels: Sequence[Panel], attributes: Mapping[str, str], held_out: bool
) -> Cloth:
    """The cloth of one garment; clothes beside the wanted one are plainer."""
    name = family_of(_cut_of(kind, panels, attributes))
    family = FAMILIES[name]
    own = [panel for panel in panels if panel.kind == kind]
    calm = 1.0 if kind == "garment" else 0.45
    weave = str(rng.choice(list(family.weaves), p=list(family.weaves.values())))
    colours = _colours(rng, name, weave)
    patterned = rng.random() < family.patterned * calm and weave not in (
        "denim",
        "leather",
        "corduroy",
        "cable",
        "quilted",
    )
    pattern = solid(colours[0])
    if patterned:
        pattern = _pattern(rng, family, colours, _span(own), held_out)
    pattern = replace(pattern, seed=2 * int(rng.integers(1 << 28)) + int(held_out))
    fabric = Fabric(
        weave,
        pattern,
        GLOSS.get(weave, 0.0) * float(rng.uniform(0.7, 1.3)),
        float(rng.uniform(0.008, 0.02)),
        float(rng.uniform(0.1, 1.0)) if weave == "denim" and rng.random() < 0.8 else 0.0,
        (0.0, float(rng.uniform(0, 0.1))),
    )
    printed = name != "tee" or not patterned
    placed: tuple[Placed, ...] = ()
    if printed and (not patterned or rng.random() < 0.08) and rng.random() < family.printed * calm:
        placed = _prints(rng, own, fabric, held_out, patterned)
    return _sewn(rng, fabric, colours, family, placed)


def _sewn(
    rng: np.random.Generator, fabric: Fabric, colours: tuple[Rgb, Rgb, Rgb], family: Family, prints: tuple[Placed, ...]
) -> Cloth:
    """A cloth's sleeves, trims, ribs and thread."""
    base = fabric.colour
    sleeve, trim = fabric, fabric
    contrast = colours[1] if rng.random() < 0.6 else scaled(base, 0.7)
    if fabric.pattern.kind == "contrast_sleeves":
        sleeve = replace(fabric, pattern=replace(solid(colours[1]), seed=fabric.pattern.seed))
        contrast = colours[1]
    elif fabric.pattern.kind in ("blocks", "chest_band", "gradient"):
        sleeve = replace(fabric, pattern=replace(solid(base), seed=fabric.pattern.seed))
    if sleeve is fabric:
        sleeve = replace(fabric, origin=(0.31 * fabric.pattern.period, fabric.origin[1] + 0.17 * fabric.pattern.period))
    trimmed = rng.random() < family.trimmed or fabric.pattern.kind == "contrast_sleeves"
    edge = contrast if trimmed else base
    if trimmed:
        trim = replace(fabric, pattern=replace(solid(edge), seed=fabric.pattern.seed))
    weave = "rib" if fabric.weave != "leather" else "leather"
    rib = Fabric(weave, replace(solid(edge if trimmed else base), seed=fabric.pattern.seed), 0.0, 0.012)
    dark = luminance(base) < 80
    stitch = mixed(base, (255, 255, 255), 0.2) if dark else scaled(base, 0.72)
    stitching = float(rng.uniform(0.45, 0.85))
    if fabric.weave == "denim" and rng.random() < 0.75:
        stitch, stitching = scaled(PALE_STITCH, float(rng.uniform(0.8, 1.15))), 0.9
    elif rng.random() < 0.06:
        stitch, stitching = colours[1], 0.9
    button = pick(rng, ((240, 236, 228), (30, 28, 28), (120, 88, 58), scaled(base, 0.8), base, (176, 160, 120)))
    inside = mixed(mixed(base, (int(luminance(base)),) * 3, 0.3), (236, 234, 230), 0.18)
    if fabric.weave == "denim":
        inside = mixed(base, (196, 202, 208), 0.6)
    elif fabric.weave == "leather" or (fabric.weave == "twill" and rng.random() < 0.3):
        inside = pick(rng, ((40, 38, 40), (90, 84, 80), (60, 66, 84)))
    return Cloth(fabric, sleeve, trim, rib, inside, stitch, stitching, button, prints)


def _colours(rng: np.random.Generator, family: str, weave: str) -> tuple[Rgb, Rgb, Rgb]:
    """Base colour and two companions, with a little deviation from the lists."""
    base, second, third = garment_colours(rng)
    if weave == "denim":
        base = pick(rng, DENIM + ((58, 82, 124), (24, 26, 32), (226, 224, 216)))
    elif weave == "leather":
        base = pick(rng, LEATHER)
    elif family in ("trousers", "shorts") and rng.random() < 0.75:
        base = pick(rng, TROUSERS)
    elif rng.random() < 0.5:
        base = pick(rng, NEUTRAL)
    if weave == "melange" and rng.random() < 0.6:
        base = pick(rng, ((168, 168, 170), (120, 121, 126), (200, 199, 196), (74, 80, 98), (150, 138, 128)))
    every = tuple(NEUTRAL) + (second, third)
    if abs(luminance(second) - luminance(base)) < 60:
        second = contrasting(rng, base, every, 60.0)
    if abs(luminance(third) - luminance(base)) < 40:
        third = contrasting(rng, base, every, 40.0)
    return _jittered(rng, base), _jittered(rng, second), _jittered(rng, third)


def _jittered(rng: np.random.Generator, colour: Rgb) -> Rgb:
    """A colour near the given one: not every navy is the same."""
    moved = np.array(colour) * rng.uniform(0.92, 1.06) + rng.normal(0, 4.0, 3)
    r, g, b = (int(c) for c in np.clip(moved, 8, 250))
    return r, g, b


def _span(own: Sequence[Panel]) -> tuple[float, float]:
    main = [panel for panel in own if panel.role in ("body", "leg", "skirt")] or list(own)
    if not main:
        return 0.0, 0.6
    spans = [panel.span or (panel.box[1], panel.box[3]) for panel in main]
    return min(span[0] for span in spans), max(span[1] for span in spans)


def _pattern(
    rng: np.random.Generator,
    family: Family,
    colours: tuple[Rgb, Rgb, Rgb],
    span: tuple[float, float],
    held_out: bool,
) -> Pattern:
    kinds = [kind for kind in family.patterns if held_out or kind not in HELD_OUT_PATTERNS]
    kind = kinds[int(rng.integers(len(kinds)))]
    if held_out and rng.random() < 0.3:
        kind = HELD_OUT_PATTERNS[int(rng.integers(len(HELD_OUT_PATTERNS)))]
    low, high = allover.SIZES.get(kind) or PERIODS.get(kind, (0.1, 0.1))
    period = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if kind == "leopard":
        brown = float(rng.uniform(0.85, 1.05))
        colours = (scaled((206, 160, 104), brown), (40, 30, 26), (136, 88, 50)) if rng.random() < 0.7 else colours
    elif kind == "zebra" and rng.random() < 0.6:
        colours = (240, 238, 232), (28, 27, 28), (28, 27, 28)
    elif kind == "camouflage" and rng.random() < 0.6:
        colours = (108, 112, 76), (62, 70, 48), (60, 48, 38)
    elif kind == "tie_dye":
        colours = (pick(rng, LIGHT), colours[1], colours[2])
    duty = float(rng.choice([0.18, 0.3, 0.42, 0.5, 0.58])) if "stripes" in kind else float(rng.uniform(0.38, 0.6))
    return Pattern(kind, colours, period, duty, 0, span)


def _prints(
    rng: np.random.Generator, own: Sequence[Panel], fabric: Fabric, held_out: bool, patterned: bool
) -> tuple[Placed, ...]:
    """Prints on the panels that have room for one: chest, small at the left, back, thigh."""
    rooms = {panel.name: panel.print_room for panel in own if panel.print_room is not None}
    if not rooms:
        return ()
    base = fabric.colour
    strong: tuple[Rgb, ...] = (
        (250, 250, 250), (250, 250, 250), (24, 24, 28), (206, 44, 52), (240, 186, 44), (44, 84, 188), (58, 146, 86),
        (240, 130, 150), (190, 150, 90),
    )  # fmt: skip
    ink = contrasting(rng, base, strong, 75)
    inks = ink, contrasting(rng, ink, (*strong, base), 75)
    placed = []
    wear = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.2 else 0.0
    for name, room in rooms.items():
        if name == "front":
            small = rng.random() < 0.22
            placed.append(
                _fitted(rng, name, room, draw_art(rng, inks, held_out, "badge" if patterned else ""), small, wear)
            )
        elif "back" in name and rng.random() < 0.25:
            form = "number" if rng.random() < 0.4 else ""
            placed.append(_fitted(rng, name, room, draw_art(rng, inks, held_out, form), False, wear))
        elif "left" in name and rng.random() < 0.6:
            placed.append(_fitted(rng, name, room, draw_art(rng, inks, held_out), rng.random() < 0.5, wear))
    return tuple(placed)


def _fitted(
    rng: np.random.Generator, name: str, room: tuple[float, float, float, float], art, small: bool, wear: float
) -> Placed:
    """A print as large as its room lets it be, or a small one at the wearer's left chest."""
    left, top, right, low = room
    wide, tall = right - left, low - top
    share = aspect(art)
    if small:
        width = min(float(rng.uniform(0.05, 0.085)), wide * 0.4, tall * 0.4 / share)
        centre = (left + wide * 0.74, top + max(0.16 * tall, width * share / 2))
    else:
        width = min(float(rng.uniform(0.6, 1.0)) * wide, tall * float(rng.uniform(0.8, 1.0)) / share)
        height = width * share
        centre = (left + wide / 2, float(rng.uniform(top + height / 2, top + height / 2 + 0.5 * (tall - height))))
    return Placed(name, centre, width, art, wear)


def _shoe(rng: np.random.Generator) -> Coat:
    if rng.random() < 0.45:  # trainers
        main = pick(rng, ((240, 240, 238), (240, 240, 238), (28, 28, 30), *LIGHT, (196, 52, 52), (52, 84, 160)))
        return Coat(main, pick(rng, ((244, 243, 240), (30, 30, 32), (190, 150, 104))), (180, 180, 184), 0.08)
    main = _jittered(rng, pick(rng, LEATHER + ((228, 214, 196), (140, 26, 36), (206, 180, 140))))
    return Coat(main, scaled(main, 0.5), (200, 176, 120), float(rng.uniform(0.2, 0.8)))


def _bag(rng: np.random.Generator) -> Coat:
    main = _jittered(rng, pick(rng, LEATHER + ((196, 40, 52), (226, 214, 196), (60, 84, 74), (48, 58, 90))))
    return Coat(main, scaled(main, 0.7), pick(rng, ((210, 182, 116), (196, 198, 202))), float(rng.uniform(0.1, 0.6)))


def _grounds(rng: np.random.Generator, panels: Sequence[Panel]) -> tuple[Ground, Ground]:
    """Wall and floor that go with the set: a sweep is of paper, a street of masonry."""
    names = {panel.name for panel in panels if panel.kind in ("wall", "floor")}
    if "backdrop" in names:
        walls, floors = ("brick", "concrete", "plaster", "tiles", "street"), ("asphalt", "concrete", "tiles")
    elif "floor" not in names:
        walls, floors = ("plain", "plain", "gradient", "paper"), ("paper",)
    else:
        walls = ("plain", "plain", "plaster", "plaster", "brick", "concrete", "planks", "tiles", "gradient")
        floors = ("planks", "planks", "concrete", "carpet", "tiles", "paper")
    wall, floor = _ground(rng, pick_one(rng, walls)), _ground(rng, pick_one(rng, floors))
    blur = float(rng.uniform(0.5, 3.5)) if rng.random() < (0.8 if "backdrop" in names else 0.35) else 0.0
    return replace(wall, blur=blur), replace(floor, blur=0.3 * blur)


def pick_one(rng: np.random.Generator, names: Sequence[str]) -> str:
    """Draw one of some names."""
    return names[int(rng.integers(len(names)))]


MATERIAL_COLOURS: dict[str, tuple[Rgb, ...]] = {
    "brick": ((156, 92, 72), (172, 112, 88), (128, 80, 68), (226, 222, 216), (70, 66, 66), (186, 158, 130)),
    "concrete": ((158, 156, 152), (186, 184, 180), (128, 128, 128)),
    "planks": ((168, 128, 90), (120, 84, 58), (206, 178, 142), (90, 66, 52), (222, 216, 206)),
    "asphalt": ((92, 92, 94), (118, 116, 114), (74, 75, 78)),
    "tiles": ((226, 226, 222), (190, 196, 196), (146, 164, 166), (206, 186, 164), (90, 104, 104)),
    "carpet": ((150, 144, 138), (96, 98, 104), (186, 172, 152), (120, 70, 66)),
    "street": ((128, 126, 124), (96, 104, 112), (150, 138, 124)),
}


def _ground(rng: np.random.Generator, material: str) -> Ground:
    if material in MATERIAL_COLOURS:
        base = pick(rng, MATERIAL_COLOURS[material])
    elif rng.random() < 0.62:  # studio white and grey
        level = int(rng.choice([235, 224, 208, 190, 160, 96], p=[0.3, 0.22, 0.18, 0.14, 0.1, 0.06]))
        base = mixed((level,) * 3, (level, int(level * 0.97), int(level * 0.92)), float(rng.uniform(-1, 1.2)))
    else:
        base = mixed(pick(rng, LIGHT + tuple(NEUTRAL)), garment_colours(rng)[0], float(rng.uniform(0, 0.55)))
    base = _jittered(rng, base)
    second = scaled(base, float(rng.uniform(0.55, 0.9)))
    if material == "street":
        second = _jittered(rng, pick(rng, ((92, 112, 84), (120, 140, 160), (170, 120, 90))))
    joint = mixed(base, pick(rng, ((200, 196, 190), (120, 116, 112))), 0.75)
    if material in ("planks",):
        joint = scaled(base, 0.5)
    gloss = {"tiles": 0.5, "planks": 0.25, "concrete": 0.08}.get(material, 0.0) * float(rng.uniform(0.3, 1))
    return Ground(material, (base, second, joint), float(rng.uniform(0.75, 1.35)), gloss, int(rng.integers(1 << 30)))
