"""First stage: render a seed's garment, its product shot, and photos of people who wear it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from igr_core.model.config import CATEGORIES

from ...synthetic.defects import DEFECTS
from ..base import streams
from ..base.panels import Panel
from ..base.settings import RenderSettings
from ..base.surfaces import Surface
from ..base.timing import stage
from ..garments.base.garment import Garment
from ..garments.outfits import Outfit, draw_outfit
from ..garments.tailoring import tailor
from ..garments.wearing import product_shot
from ..records.record import Record
from ..studio.framing import PRODUCT_SHARE, product_camera
from ..studio.guards import Limits, reasons
from ..studio.rays.rendering import photograph
from .photographing import Photographed, Product, take_photo

CATEGORY_SHARES = (0.6, 0.22, 0.18)
"""Probability of each of CATEGORIES, similar to the range of a shop."""
MAX_GARMENTS = 6
"""Maximum number of garments to try for a seed."""
MAX_PHOTOS_TRIED = 6
"""Maximum number of scenes to try for a photo before its garment is abandoned."""
PRODUCT_LIMITS = Limits(least_area=0.05, least_visible=0.6)
"""Limits for product shots."""
TINY = (0.24, 0.4)
"""Range of the fraction of the frame that the garment fills if the product shot's defect is a tiny garment."""
TURNED = (68.0, 84.0)
"""Range of angles, in degrees, by which the garment is turned if the product shot's defect is a narrow garment."""


def category_of(seed: int) -> str:
    """Category of a seed's garment, without rendering it."""
    return str(np.random.default_rng([seed, streams.CATEGORY]).choice(CATEGORIES, p=CATEGORY_SHARES))


def outfit_of(seed: int, attempt: int = 0, held_out: bool = False) -> tuple[np.random.Generator, Outfit]:
    """The outfit for an attempt at a seed, and the random generator to use for the product shot."""
    rng = np.random.default_rng([seed, attempt, streams.OUTFIT])
    return rng, draw_outfit(rng, category_of(seed), held_out)


def make_record(seed: int, settings: RenderSettings, defect: str | None = None) -> tuple[Record | None, Counter[str]]:
    """Render a seed's record (None if every attempt was rejected), and count rejected attempts by reason.

    `defect` is one of DEFECTS; None draws one with the settings' probability. The same arguments give the same bytes
    on the same type of machine. Raises IGRError if the packages of the `render` extra are missing.
    """
    rejects: Counter[str] = Counter()
    lots = np.random.default_rng([seed, streams.PLAN])
    if defect is None:
        defect = str(lots.choice(DEFECTS)) if lots.random() < settings.defect_share else ""
    count = int(settings.photos + lots.random())
    for attempt in range(MAX_GARMENTS):
        rng, outfit = outfit_of(seed, attempt, settings.held_out)
        with stage("tailor"):
            garments = tuple(tailor(cut) for cut in outfit.cuts)
        product = _product(rng, seed, garments, outfit.wanted, defect, settings)
        if product.reasons:
            rejects[f"product {product.reasons[0]}"] += 1
            continue
        photos = _photos((seed, attempt), count, outfit, product, defect, settings, rejects)
        if photos is not None:
            return _record(seed, outfit, product, photos, defect), rejects
    return None, rejects


def _product(
    rng: np.random.Generator,
    seed: int,
    garments: tuple[Garment, ...],
    wanted: int,
    defect: str,
    settings: RenderSettings,
) -> Product:
    with stage("drape"):
        surfaces = product_shot(garments[wanted], rng)
    share = PRODUCT_SHARE
    if defect == "extreme_proportion":
        if rng.random() < 0.5:
            share = float(rng.uniform(*TINY))
        else:
            surfaces = [_turned(surface, float(rng.uniform(*TURNED))) for surface in surfaces]
    camera = product_camera(np.concatenate([surface.vertices for surface in surfaces]), settings.size)
    if share != PRODUCT_SHARE:
        half = np.tan(np.deg2rad(camera.fov) / 2) * PRODUCT_SHARE / share
        camera = replace(camera, fov=float(np.rad2deg(2 * np.arctan(half))))
    with stage("render"):
        shot = photograph(surfaces, None, camera, seed, settings.samples)
    limits = Limits(least_area=0.0, most_inside=1.0) if defect == "extreme_proportion" else PRODUCT_LIMITS
    return Product(garments, wanted, surfaces, shot, list(reasons(shot, surfaces, camera, limits, on_set=False)))


def _photos(
    key: tuple[int, int],
    count: int,
    outfit: Outfit,
    product: Product,
    defect: str,
    settings: RenderSettings,
    rejects: Counter[str],
) -> list[Photographed] | None:
    """The photos of a garment; None if one of them was rejected in every attempt."""
    photos = []
    for number in range(count):
        for attempt in range(MAX_PHOTOS_TRIED):
            rng = np.random.default_rng([*key, number, attempt, streams.PHOTO])
            taken = take_photo(rng, outfit, product, defect, settings)
            if not taken.reasons:
                photos.append(taken)
                break
            rejects[taken.reasons[0]] += 1
        else:
            return None
    return photos


def _record(seed: int, outfit: Outfit, product: Product, photos: list[Photographed], defect: str) -> Record:
    """Build the record: join the panels of the garment and the photos into one list, and renumber the views' labels."""
    own = product.garment.panels
    panels: list[Panel] = list(own)
    numbered = []
    for photo in photos:
        numbered.append(photo.numbered(len(own), len(panels)))
        panels.extend(photo.panels)
    attributes = {**outfit.attributes, "defect": defect or "none"}
    return Record(seed, outfit.cut.category, attributes, tuple(panels), product.shot.view, tuple(numbered))


def _turned(surface: Surface, degrees: float) -> Surface:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return replace(surface, vertices=surface.vertices @ turn.T)
