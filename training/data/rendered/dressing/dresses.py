"""Random choices for everything that is painted: clothes like those in shops, people of all skin tones, various walls
and floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...synthetic.art.palette import (
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
from ...synthetic.art.textures import Pattern, solid
from ..base.panels import Panel
from .cloth import allover
from .cloth.fabrics import Fabric
from .cloth.families import (
    FAMILIES,
    GLOSS,
    HELD_OUT_PATTERNS,
    LEATHER,
    NEUTRAL,
    PALE_STITCH,
    PERIODS,
    TROUSERS,
    Family,
    family_of,
    jittered,
)
from .cloth.placing import place_prints
from .cloth.prints import Placed
from .materials import Cloth, Dress
from .skin import draw_skin
from .surroundings import draw_bag, draw_grounds, draw_shoe


def draw_dress(
    rng: np.random.Generator,
    panels: Sequence[Panel],
    attributes: Mapping[str, str],
    held_out: bool = False,
    garment: Cloth | None = None,
) -> Dress:
    """Draw everything that is painted on a person in a set, except the garment's fabric if it is given.

    `panels` contains all panels of the scene, into which prints are fitted. In `attributes`, "cut" names the garment's
    cut, and "other_1" and "other_2" name the cuts of the clothes worn with it; missing names are guessed from the
    panels. With `held_out`, only words and patterns that are never used for training are chosen.
    """
    garment = garment or draw_garment(rng, panels, attributes, held_out)
    others = [_cloth(rng, kind, panels, attributes, held_out) for kind in ("other_1", "other_2")]
    wall, floor = draw_grounds(rng, panels)
    return Dress(garment, *others, draw_skin(rng), draw_shoe(rng), draw_bag(rng), wall, floor)


def draw_garment(
    rng: np.random.Generator, panels: Sequence[Panel], attributes: Mapping[str, str], held_out: bool = False
) -> Cloth:
    """Draw the fabric of the garment only; the arguments are those of draw_dress."""
    return _cloth(rng, "garment", panels, attributes, held_out)


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
    """The fabric of a garment; clothes worn with the garment are plainer."""
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
        placed = place_prints(rng, own, fabric, held_out, patterned)
    return _sewn(rng, fabric, colours, family, placed)


def _sewn(
    rng: np.random.Generator, fabric: Fabric, colours: tuple[Rgb, Rgb, Rgb], family: Family, prints: tuple[Placed, ...]
) -> Cloth:
    """A garment's cloth: the fabric, with matching sleeves, trims, ribs and thread."""
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
    """Base colour and two matching colours, with small random changes."""
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
    return jittered(rng, base), jittered(rng, second), jittered(rng, third)


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
    kinds = HELD_OUT_PATTERNS if held_out else [kind for kind in family.patterns if kind not in HELD_OUT_PATTERNS]
    kind = kinds[int(rng.integers(len(kinds)))]
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
