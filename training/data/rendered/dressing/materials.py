"""Materials of a scene: fabrics, skin, hair, shoes, walls and floors."""

from __future__ import annotations

from dataclasses import dataclass

from ...synthetic.art.palette import Rgb
from .cloth.fabrics import Fabric
from .cloth.prints import Placed


@dataclass(frozen=True)
class Cloth:
    """Everything painted on one garment."""

    fabric: Fabric
    """Fabric of body, legs and skirt."""
    sleeve: Fabric
    """Fabric of the sleeves."""
    trim: Fabric
    """Fabric of collar, cuffs, waistband, placket and pockets."""
    rib: Fabric
    """Fabric of knitted edges."""
    inside: Rgb
    """Colour of the inside of the cloth."""
    stitch: Rgb
    """Colour of the thread."""
    stitching: float
    """Visibility of the thread, 0..1."""
    button: Rgb
    """Colour of the buttons."""
    prints: tuple[Placed, ...] = ()
    """Prints on the panels."""


@dataclass(frozen=True)
class Skin:
    """Colours of a person."""

    tone: Rgb
    """Colour of lit skin."""
    lips: Rgb
    """Colour of the lips."""
    brow: Rgb
    """Colour of brows and lashes."""
    nail: Rgb
    """Colour of the fingernails."""
    iris: Rgb
    """Colour of the irises."""
    hair: Rgb
    """Colour of a bright strand of hair."""
    gloss: float
    """Gloss of the skin, 0..1."""
    freckles: float
    """Variation of the skin's brightness, 0..1."""


@dataclass(frozen=True)
class Coat:
    """Colours of a shoe or a bag."""

    main: Rgb
    """Colour of the shoe's upper, or of the bag's outside."""
    second: Rgb
    """Colour of the sole, or of the bag's lining."""
    metal: Rgb
    """Colour of buckles and eyelets."""
    gloss: float
    """Strength of reflections, 0..1."""


@dataclass(frozen=True)
class Ground:
    """A wall or a floor."""

    material: str
    """One of grounds.WALLS or grounds.FLOORS."""
    colours: tuple[Rgb, Rgb, Rgb]
    """Main colour, second colour, and colour of joints."""
    size: float
    """Size of a brick, plank or tile relative to the usual size."""
    gloss: float
    """Strength of reflections, 0..1."""
    seed: int
    """Seed of stains and patches."""
    blur: float = 0.0
    """Defocus in mip levels, 0 for sharp."""
    evened: float = 0.0
    """Degree to which separate lamps for this surface even out its light and shadows, 0..1."""
    lit: float = 1.0
    """Factor by which these lamps brighten the surface; 1 without such lamps."""


@dataclass(frozen=True)
class Dress:
    """All colours and patterns of one garment, its wearer and the set."""

    garment: Cloth
    """The garment to restore."""
    other_1: Cloth
    """A second garment, worn with the garment to restore."""
    other_2: Cloth
    """A third garment."""
    skin: Skin
    """Skin, eyes and hair."""
    shoe: Coat
    """Shoes."""
    bag: Coat
    """A bag, if one is carried."""
    wall: Ground
    """Walls of the set."""
    floor: Ground
    """Floor of the set."""
