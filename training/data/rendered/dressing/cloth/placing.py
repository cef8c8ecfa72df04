"""Placement of prints: on the chest, on the left chest (small), on the back, or on a thigh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....synthetic.art.palette import Rgb, contrasting
from ...base.panels import Panel
from .fabrics import Fabric
from .prints import Art, Placed, aspect, draw_art

LEG_PRINTS = 0.15
"""Probability that printed clothes with legs have a small print on the thigh."""
MOST_OF_CHEST = 0.62
"""Maximum width of a print on the torso, as a fraction of the panel's minimum width between the neck and the print's
lower edge. A panel covers half of the torso's circumference; a half circle appears 2/pi times as wide as its length.
"""
SIDES = ("armhole", "seam")
"""Roles of the lines at the sides of a body panel."""


def place_prints(
    rng: np.random.Generator, own: Sequence[Panel], fabric: Fabric, held_out: bool, patterned: bool
) -> tuple[Placed, ...]:
    """Prints on panels with enough space: chest, left chest, back, thigh."""
    chosen = [panel for panel in own if panel.print_room is not None]
    if any(panel.role == "leg" for panel in chosen):
        chosen = [panel for panel in chosen if panel.role != "leg" or rng.random() < LEG_PRINTS]
    on_leg = any(panel.role == "leg" for panel in chosen)
    rooms = {panel.name: panel for panel in chosen}
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
    for name, panel in rooms.items():
        if name == "front":
            small = rng.random() < 0.22 or on_leg
            placed.append(_fitted(rng, panel, draw_art(rng, inks, held_out, "badge" if patterned else ""), small, wear))
        elif "back" in name and rng.random() < 0.25:
            form = "number" if rng.random() < 0.4 else ""
            placed.append(_fitted(rng, panel, draw_art(rng, inks, held_out, form), False, wear))
        elif "left" in name and rng.random() < 0.6:
            placed.append(_fitted(rng, panel, draw_art(rng, inks, held_out), rng.random() < 0.5, wear))
    return tuple(placed)


def _fitted(rng: np.random.Generator, panel: Panel, art: Art, small: bool, wear: float) -> Placed:
    """The largest print that fits, or a small one on the wearer's left chest."""
    assert panel.print_room is not None
    left, top, right, low = panel.print_room
    wide, tall = right - left, low - top
    share = aspect(art)
    if small:
        width = min(float(rng.uniform(0.05, 0.085)), wide * 0.4, tall * 0.4 / share)
        centre = (left + wide * 0.74, top + max(0.16 * tall, width * share / 2))
    else:
        width = min(float(rng.uniform(0.6, 1.0)) * wide, tall * float(rng.uniform(0.8, 1.0)) / share)
        height = width * share
        centre = (left + wide / 2, float(rng.uniform(top + height / 2, top + height / 2 + 0.5 * (tall - height))))
        if panel.role == "body":
            width = min(width, 2 * MOST_OF_CHEST * narrowest(panel, top, centre[1] + height / 2))
    return Placed(panel.name, centre, width, art, wear)


def narrowest(panel: Panel, top: float, low: float) -> float:
    """Smallest distance in metres from a panel's centre to its side seams and armholes between two heights, or inf."""
    least = np.inf
    for line in panel.lines:
        if line.role in SIDES:
            first, second = line.points[:-1].astype(float), line.points[1:].astype(float)
            rise = second[:, 1] - first[:, 1]
            rise = np.where(np.abs(rise) < 1e-9, 1e-9, rise)
            near = (np.minimum(first[:, 1], second[:, 1]) <= low) & (np.maximum(first[:, 1], second[:, 1]) >= top)
            for end in (top, low):
                share = np.clip((end - first[:, 1]) / rise, 0, 1)  # Ends of the part between the heights.
                across = np.abs(first[:, 0] + share * (second[:, 0] - first[:, 0]))
                least = min(least, float(across[near].min(initial=np.inf)))
    return least
