"""Parameters of a garment's cut."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

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
"""Probabilities of the kinds in each category."""

HELD_OUT_ONE_IN = 9
"""About one in this many combinations of features is held out."""

NARROW_FLARE = 0.1
"""Flare, in metres per metre, below which a long skirt holds the legs together."""

NARROW_LENGTH = 1.4
"""Level of the hem from which a skirt with less than NARROW_FLARE holds the legs together."""


@dataclass(frozen=True)
class Cut:
    """One garment's cut. Lengths along the body are given in `levels`: 0 waist, 1 crotch, 2 knee, 3 ankle."""

    kind: str
    """One of KINDS."""
    category: str
    """upper, lower or full."""
    sex: str = "female"
    """Template body: female or male."""
    fit: str = "regular"
    """tight, slim, regular, loose or oversized."""
    neckline: str = "none"
    """round, v, boat, scoop, square, high, straps (thin ones), or none for lower garments."""
    neck_width: float = 0.08
    """Half width of the neck hole, or distance of the straps from the centre, metres."""
    neck_depth: float = 0.07
    """Depth of the neck hole in front, metres."""
    neck_band: float = 0.0
    """Width of the neckband, metres; 0 for none."""
    collar: str = "none"
    """none, shirt, polo, stand, hood or lapel."""
    sleeve: str = "none"
    """none, cap, short, elbow or long."""
    sleeve_length: float = 0.0
    """Length of the sleeve as a fraction of the arm's length."""
    sleeve_ease: float = 0.015
    """Distance between sleeve and arm at the middle of the arm, metres."""
    sleeve_flare: float = 0.0
    """Additional distance at the cuff, metres; may be negative."""
    puff: float = 0.0
    """Additional distance at the shoulder, metres."""
    cuff: float = 0.0
    """Width of a cuff, metres; 0 for a plain hem."""
    drop: float = 0.0
    """Distance of the armhole beyond the shoulder, metres; negative bares the shoulder of sleeveless tops."""
    ease: float = 0.015
    """Distance from the torso, metres."""
    straight: float = 0.6
    """From 0, where the cloth follows the waist, to 1, where it falls straight from the chest or the hips."""
    waist: float = 0.0
    """Level of a lower garment's top edge: 0 at the natural waist, about 0.3 on the hips."""
    length: float = 1.0
    """Level of the hem in front."""
    hem: str = "straight"
    """Shape of the hem: `straight` or `curved`."""
    hem_band: float = 0.0
    """Width of a ribbed hem, metres; 0 for none."""
    front: str = "closed"
    """closed, buttons, half_buttons, zip, or open."""
    gap: float = 0.0
    """Distance of an open front from the centre at the hem, metres."""
    pockets: str = "none"
    """none, kangaroo, chest, patch or side."""
    waistband: float = 0.0
    """Width of the waistband, metres."""
    fly: bool = False
    """Whether the garment has a fly."""
    legs: bool = False
    """Whether the lower part has legs rather than a skirt."""
    leg_ease: float = 0.012
    """Distance from the leg at the knee, metres."""
    leg_flare: float = 0.0
    """Additional distance at the ankle, metres; may be negative."""
    flare: float = 0.1
    """Flare of a skirt: metres outwards per metre down."""
    pleats: int = 0
    """Number of pleats of a skirt, 0 for none."""
    bend: float = 0.02
    """Stiffness against bending, 0..1."""
    grow: float = 1.02
    """Factor on the lengths of the cloth; values above 1 are excess cloth, which creases."""

    @property
    def top(self) -> bool:
        """Whether the garment hangs from the shoulders."""
        return self.category != "lower"

    @property
    def narrow(self) -> bool:
        """Whether the garment is a skirt or dress that is too narrow at the knees for long steps."""
        return self.category != "upper" and not self.legs and self.flare < NARROW_FLARE and self.length > NARROW_LENGTH

    def features(self) -> str:
        """The coarse features that determine whether a cut is held out."""
        levels = f"{round(self.length * 10)}/{round(self.waist * 10)}/{round(self.sleeve_length * 10)}"
        return f"{self.kind}/{self.neckline}/{self.sleeve}/{self.fit}/{self.front}/{levels}"


def held_out_cut(cut: Cut) -> bool:
    """Whether a cut's combination of features is held out."""
    return zlib.crc32(cut.features().encode()) % HELD_OUT_ONE_IN == 0
