"""Second stage: dress rendered records to obtain pairs with the same interface as drawn pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from igr_core.errors import IGRError

from ..contract.seeds import HELD_OUT_START
from ..synthetic.compose import Pair
from ..synthetic.defects import DEFECTS
from .base import streams
from .base.panels import Panel
from .base.settings import RenderSettings
from .base.surfaces import CLOTH
from .base.timing import stage
from .base.views import SUBSAMPLES, View
from .dressing.dresses import draw_dress, draw_garment
from .dressing.image.composing import compose
from .dressing.image.lens import balanced, develop, draw_lens
from .dressing.materials import Cloth, Dress
from .records.record import Record, Words


@dataclass(frozen=True)
class RenderedPair(Pair):
    """A pair with a correspondence; `parsing` uses ATR-18's labels."""

    correspondence: np.ndarray
    """(H, W, 2) float32: for each pixel of `garment`, x and y of the same point of cloth in the photo, in pixels from
    the left and top edges; NaN where the point is not visible or there is no garment."""


def make_pair(seed: int, size: tuple[int, int] = (384, 512), *, defect: str | None = None) -> RenderedPair:
    """Render and dress a seed's pair at `size` (width, height), 3:4; the same arguments give the same bytes.

    Seeds from HELD_OUT_START on use poses, cuts, words and patterns that are never used for training.

    For several pairs of a garment, or the same geometry in other fabrics, use making.make_record and dress_record.
    """
    from .capture.making import make_record
    from .generating.generate import format_rejects

    held_out = seed >= HELD_OUT_START
    settings = RenderSettings(size=size, photos=1, held_out=held_out)
    if defect is not None and defect not in DEFECTS:
        raise IGRError(f"Unknown defect {defect!r}: choose one of {', '.join(DEFECTS)}.")
    record, rejects = make_record(seed, settings, defect)
    if record is None:
        raise IGRError(
            f"Seed {seed} cannot be rendered because every attempt was rejected ({format_rejects(rejects)}): use "
            "another seed."
        )
    return dress_record(record, 0, held_out=held_out)


def dress_record(
    record: Record, photo: int, dress_seed: int = 0, held_out: bool = False, product: Image.Image | None = None
) -> RenderedPair:
    """Dress a photo of a record, and its product shot in the same fabric; `dress_seed` selects the fabrics.

    Photos of one record with the same `dress_seed` show the same garment on different people. With `held_out`, only
    words and patterns that are never used for training appear. `product` is the result of dress_product for the same
    arguments.
    """
    shot = dress_product(record, dress_seed, held_out) if product is None else product
    with stage("dress"):
        taken = record.photos[photo]
        dress = dress_of(record, photo, dress_seed, held_out)
        person = _developed(taken.view, record.panels, dress, (record.seed, dress_seed, 1 + photo), product=False)
    return RenderedPair(
        Image.fromarray(person),
        Image.fromarray(taken.garment_mask),
        Image.fromarray(taken.agnostic_mask),
        shot,
        Image.fromarray(silhouette(record.product)),
        record.category,
        {**record.attributes, **taken.attributes, **_cloth_attributes(dress.garment)},
        Image.fromarray(taken.parsing),
        dict(taken.joints),
        taken.correspondence,
    )


def dress_product(record: Record, dress_seed: int = 0, held_out: bool = False) -> Image.Image:
    """Dress the product shot of a record, which all its photos with the same `dress_seed` share."""
    with stage("dress"):
        cloth = _garment_of(record, dress_seed, held_out)
        # a product shot shows only the garment
        dress = draw_dress(np.random.default_rng(0), [], {}, garment=cloth)
        shot = _developed(record.product, record.panels, dress, (record.seed, dress_seed, 0), product=True)
    return Image.fromarray(shot)


def dress_of(record: Record, photo: int, dress_seed: int = 0, held_out: bool = False) -> Dress:
    """The dress of a photo; all photos of a record share the garment's fabric, and everything else is drawn per
    photo."""
    cloth = _garment_of(record, dress_seed, held_out)
    view = record.photos[photo].view
    seen = {label.panel for label in view.table}
    panels = [panel for number, panel in enumerate(record.panels) if number in seen or panel.kind == "garment"]
    rng = np.random.default_rng([record.seed, dress_seed, photo, streams.CLOTHES])
    cuts = {**_cuts(record.attributes), **_cuts(record.photos[photo].attributes)}
    return draw_dress(rng, panels, cuts, held_out, cloth)


def _garment_of(record: Record, dress_seed: int, held_out: bool) -> Cloth:
    own = [panel for panel in record.panels if panel.kind == "garment"]
    return draw_cloth(record.seed, dress_seed, own, _cuts(record.attributes), held_out)


def draw_cloth(
    seed: int, dress_seed: int, panels: Sequence[Panel], cuts: Mapping[str, str], held_out: bool = False
) -> Cloth:
    """The fabric of a seed's garment; the other arguments are those of draw_garment."""
    return draw_garment(np.random.default_rng([seed, dress_seed, streams.CLOTH]), panels, cuts, held_out)


def silhouette(product: View) -> np.ndarray:
    """(h, w) uint8, 0 or 255: where at least half of a pixel shows the garment."""
    return np.where(2 * _covered(product) >= SUBSAMPLES**2, 255, 0).astype(np.uint8)


def _covered(view: View) -> np.ndarray:
    """(h, w) uint8: number of subsamples of each pixel that are not empty."""
    seen = (view.labels != 255).view(np.uint8)
    across = sum(seen[:, first::SUBSAMPLES] for first in range(SUBSAMPLES))
    return sum(across[first::SUBSAMPLES] for first in range(SUBSAMPLES))


def _developed(view: View, panels: Sequence[Panel], dress: Dress, key: tuple[int, ...], *, product: bool) -> np.ndarray:
    """(h, w, 3) uint8: the dressed view as photographed by a random camera with the seed `key`."""
    rng = np.random.default_rng([*key, streams.LENS])
    lens = draw_lens(rng, product)
    if not product:
        lens = balanced(lens, view.light, float(rng.uniform(0.6, 1.0)))
    white = _covered(view) == 0 if product else None
    light = compose(view, panels, dress)
    with stage("lens"):
        return develop(light, lens, int(rng.integers(1 << 31)), white)


def _cuts(attributes: Words) -> dict[str, str]:
    return {name: str(attributes[name]) for name in ("cut", *CLOTH[1:]) if name in attributes}


def _cloth_attributes(cloth: Cloth) -> dict[str, str | float | bool]:
    """Attributes to group scores by, as for drawn pairs."""
    art = cloth.prints[0].art if cloth.prints else None
    return {
        "pattern": cloth.fabric.pattern.kind,
        "weave": cloth.fabric.weave,
        "print": "none" if art is None else art.form,
        "text": "" if art is None else " ".join(art.lines),
    }
