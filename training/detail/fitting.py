"""Fit a bundle's readout and evidence, and store both in a copy of the bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.model.bundle import Bundle, save_bundle
from igr_core.model.detail_config import DetailConfig
from igr_core.restore.restorer import GarmentRestorer

from ..prepared.latents import PreparedPairs
from .evidence import fit_evidence
from .heads import candidates, fit_heads, sample_attention
from .runs import RunSettings, compare


@dataclass(frozen=True)
class Fitted:
    """The fitted values and a summary of the fit."""

    detail: DetailConfig
    """Values to store in the bundle."""
    summary: str
    """Summary for the user."""


def fit_detail(
    restorer: GarmentRestorer,
    pairs: PreparedPairs,
    count: int,
    runs: int,
    settings: RunSettings,
    progress: Callable[[int], object] | None = None,
) -> Fitted:
    """Fit the heads to the first `count` pairs, then the evidence to runs on the last `runs` pairs.

    Raises IGRError for a model without GarmNet, or pairs without correspondences.
    """
    if restorer.model.garmnet is None:
        raise IGRError(f"{restorer.info.name} has no GarmNet, so it has no reference attention: use another bundle.")
    some = pairs.batch([0])
    heads = candidates(restorer.model, (some.garment_latent.shape[2], some.garment_latent.shape[3]))
    first = range(min(count, len(pairs)))
    sampled = sample_attention(restorer.model, pairs, first, seed=settings.seed, progress=progress)
    fitted = fit_heads(sampled, heads)
    last = range(max(0, len(pairs) - runs), len(pairs))
    evidence, nats = fit_evidence(list(compare(restorer, pairs, last, fitted.readout, settings, progress)))
    chosen = ", ".join(f"{head.block}:{head.head} {head.weight:.2f}" for head in fitted.readout.heads)
    summary = (
        f"{len(fitted.readout.heads)} of {len(heads)} heads: {chosen}\n"
        f"cross-entropy of the true cell {fitted.nats:.3f} nats (best single head {fitted.best_head_nats:.3f}), "
        f"of visibility {nats:.3f} nats"
    )
    return Fitted(DetailConfig(fitted.readout, evidence), summary)


def write_fitted(bundle: Path, out: Path, detail: DetailConfig) -> None:
    """Write a copy of a bundle with the fitted values."""
    opened = Bundle.open(bundle)
    parts = {part["part"]: opened.tensors(part["part"]) for part in opened.summary()}
    make_folder(out.parent)
    save_bundle(out, dataclasses.replace(opened.info, detail=detail), parts)
