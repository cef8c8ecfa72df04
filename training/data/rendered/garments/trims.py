"""Collars, hoods, plackets and pockets that ride on the cloth, and what is only marked on the panels."""

from __future__ import annotations

from ..panels import Panel
from .cuts import Cut
from .figures import Figure
from .garment import Trim


def make_trims(cut, figure, rest, faces, uv, panel, panels: list[Panel]) -> tuple[tuple[Trim, ...], tuple[Panel, ...]]:
    return (), tuple(panels)
