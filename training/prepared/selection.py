"""Select the pairs of a data set and lay them out, for prepare and for training on images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.model.config import ModelConfig
from igr_core.ranges import Ranged, Share
from igr_core.text import counted

from ..curation.manifest import read_manifest
from ..data.contract.augment import AugmentConfig
from ..data.contract.laid_out import LaidOutPairs, Selected, ViewLayout, asymmetry, with_flips
from ..data.contract.pairs import PairSource
from ..data.opening import DataSetConfig, open_data_set


@dataclass(frozen=True)
class PairsConfig(Ranged):
    """Pairs to train on: a data set, a selection from it, and augmentations."""

    data: DataSetConfig
    """The data set."""
    manifest: str | None = None
    """Folder written by python -m training curate; pairs dropped there are skipped, and its garment boxes are used."""
    subset: Literal["kept", "hqft"] = "kept"
    """Which pairs of the manifest to use: all that are not dropped, or those selected for HQFT."""
    flips: bool = False
    """Add a mirrored copy of every pair whose garment is symmetric; lettering is never mirrored."""
    spoil_share: Share = 0.0
    """Fraction of the pairs whose mask is corrupted with typical errors of people and segmenters; agnostic masks are
    not corrupted."""
    exact_share: Share = 0.0
    """Fraction of the pairs with an exact mask from the parsing map, if `data.mask` selects agnostic masks (VITON-HD);
    0 as in the paper. Only the exact masks are corrupted."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Zoom, stretch, letterbox bars and colours of the photos; off as in the paper."""
    spoil_strength: Share = 0.5
    """Maximum strength of the corruption (0..1)."""


def layout_of(model: ModelConfig, pairs: PairsConfig) -> ViewLayout:
    """Layout of these pairs for a model."""
    crop = model.image_encoder.image_size
    cells = model.vae.downscale
    return ViewLayout(
        model.native_size,
        model.view,
        crop,
        pairs.spoil_share,
        pairs.spoil_strength,
        pairs.exact_share,
        pairs.augment,
        cells,
    )


def open_pairs(pairs: PairsConfig, layout: ViewLayout, limit: int | None = None, threads: int = 1) -> LaidOutPairs:
    """Open the selected pairs, laid out for a model.

    Raises IGRError if the data set or the manifest cannot be read, or if they do not match.
    """
    source = open_data_set(pairs.data)
    selected = selected_pairs(source, pairs)[:limit]
    if pairs.flips:
        places = tqdm([one.index for one in selected], desc=f"looking for symmetric garments in {source.title}")
        selected = with_flips(source, selected, {index: asymmetry(source.garment(index)) for index in places})
    origin = {
        "layout": source.layout,
        "split": pairs.data.split,
        "mask": pairs.data.mask,
        "manifest": None if pairs.manifest is None else pairs.subset,
        "flips": pairs.flips,
    }
    if pairs.exact_share > 0 and selected:
        source.exact_mask(selected[0].index)  # raises for a data set without exact masks, before anything is computed
    return LaidOutPairs(source, layout, selected, threads, origin, pairs.manifest)


def selected_pairs(source: PairSource, pairs: PairsConfig) -> list[Selected]:
    """The pairs that the manifest keeps, with its garment boxes; without a manifest, all pairs."""
    if pairs.manifest is None:
        return [Selected(index) for index in range(len(source))]
    manifest = read_manifest(Path(pairs.manifest))
    chosen = manifest.hqft_names() if pairs.subset == "hqft" else manifest.kept_names()
    places = {entry.name: index for index, entry in enumerate(source.entries)}
    missing = [name for name in chosen if name not in places]
    if missing:
        others = f" and {counted(len(missing) - 1, 'other pair')}" if len(missing) > 1 else ""
        raise IGRError(
            f"{pairs.manifest} names {missing[0]}{others}, which {source.title} does not contain: use the manifest of "
            "this data set and split."
        )
    return [Selected(places[name], garment_box=manifest.garment_box(name)) for name in chosen]
