"""The second stage: find the masks that are missing, and restore garments in batches."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...detail.candidates import agreement
from ...detail.evidence import Evidence
from ...detail.warping import source_photos
from ...device import dtype_for
from ...errors import IGRError, is_out_of_memory
from ...flatten.model_file import load_flattener
from ...included import INCLUDED_FLATTENER
from ...photo.images import unit_image
from ...photo.view import GarmentView, join_views
from ...restore.background_removal import cutout_warnings, to_rgba
from ...restore.detailed import Detailing, different_views, presented
from ...restore.flattened import FlatRestored, restore_flat
from ...restore.restorer import GarmentRestorer
from ..ledger import Ledger, guarded
from ..settings import BEGUN, CatalogueSettings, Output
from ..table.items import Item
from .failures import CRASHED, sentence_of
from .loading import Loaded, view_of
from .masks import MaskFinder


@dataclass(frozen=True)
class Restored:
    """A restored garment, or the reason why there is none."""

    item: Item
    """The garment."""
    category: str = ""
    """upper, lower or full; empty if it was not found."""
    image: Tensor | None = None
    """(1, 3, H, W), or (1, 4, H, W) with a transparent background, in 0..1; None if the garment failed."""
    visible: Tensor | None = None
    """(1, 1, H, W), the evidence map in 0..1; None if it was not measured."""
    person: Tensor | None = None
    """(1, 3, H, W), the view of the first photo in 0..1."""
    evidence: float | None = None
    """Fraction of the garment that was visible; None if it was not measured."""
    agreement: float | None = None
    """Agreement of the garment with its photos, 0..1; None if it was not measured."""
    warnings: tuple[str, ...] = ()
    """Warnings about the photos and the result."""
    note: str = ""
    """One sentence on what was not visible; empty if that was not measured."""
    error: str = ""
    """Error message if the garment failed."""
    crashed: bool = False
    """Whether the garment crashes its workers."""
    seconds: float = 0.0
    """Time for its masks and restoration, including its share of its batch."""
    left_out: int = 0
    """Number of its photos that could not be used."""

    @property
    def name(self) -> str:
        """Name of the garment."""
        return self.item.name


@dataclass(frozen=True)
class _Ready:
    """A garment with all of its views."""

    loaded: Loaded
    category: str
    views: tuple[GarmentView, ...]
    """Views of one photo each, all different."""
    warnings: tuple[str, ...]
    seconds: float
    left_out: int
    """Number of photos that could not be used."""


class _Sampled(NamedTuple):
    """A restored garment, before it is finished."""

    image: Tensor
    """(1, 3, H, W) in 0..1, at the working size."""
    evidence: Evidence | None
    """Its evidence; None if it was not measured."""
    flat: FlatRestored | None = None
    """The photos' pixels, laid out flat; None if it was restored from noise."""


class Restoring:
    """Restores garments with models that stay loaded."""

    def __init__(
        self,
        settings: CatalogueSettings,
        output: Output,
        device: str | torch.device = "cpu",
        restorer: GarmentRestorer | None = None,
    ) -> None:
        """Load the bundle, unless a `restorer` is passed; raises IGRError if that fails."""
        device = torch.device(device)
        dtype = dtype_for(settings.precision, device)
        self._settings = settings
        self._ledger = Ledger(output.folder(BEGUN), "restore")
        self._restorer = restorer or GarmentRestorer.from_bundle(
            settings.bundle, device, dtype, settings.restore.pruning
        )
        if settings.restore.start == "flat" and restorer is None:
            self._restorer.flattener = load_flattener(INCLUDED_FLATTENER)
        parser = settings.parser if settings.parses else None
        segmenter = settings.segmenter if settings.finds_masks else None
        self._masks = MaskFinder(parser, segmenter, device)
        self._most = settings.batch

    def __call__(self, given: Sequence[Loaded]) -> list[Restored]:
        """Restore garments, in any order; those that fail have an error message."""
        failed = [Restored(one.item, error=one.error, crashed=one.crashed) for one in given if one.error]
        good = [one for one in given if not one.error]
        return failed + list(guarded(self._ledger, good, self._restore_all, _crashed))

    def _restore_all(self, given: Sequence[Loaded]) -> list[Restored]:
        done: list[Restored] = []
        ready: list[_Ready] = []
        for one in given:
            try:
                ready.append(self._ready(one))
            except Exception as error:
                done.append(Restored(one.item, error=sentence_of(error, one.name), warnings=one.warnings))
        return done + self._restored(ready)

    def _restored(self, ready: Sequence[_Ready]) -> list[Restored]:
        """Restore garments together or, if that fails, one by one, so that a garment cannot fail because of another."""
        if len(ready) > self._most:
            parts = [ready[start : start + self._most] for start in range(0, len(ready), self._most)]
            return [result for part in parts for result in self._restored(part)]
        if not ready:
            return []
        start, failed = time.monotonic(), None
        sampled: Sequence[_Sampled] = ()
        try:
            sampled = self._sample(ready)
        except Exception as error:
            failed = error if len(ready) == 1 else error.with_traceback(None)  # a traceback keeps the batch's tensors
        if failed is not None:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if len(ready) == 1:
                return [self._failed(ready[0], failed)]
            if is_out_of_memory(failed):
                self._most = (len(ready) + 1) // 2  # for the rest of the run
                return self._restored(ready)
            return [result for one in ready for result in self._restored([one])]
        share = (time.monotonic() - start) / len(ready)
        return [self._finish(one, found, share) for one, found in zip(ready, sampled, strict=True)]

    def _ready(self, one: Loaded) -> _Ready:
        """Find the masks that are missing; photos for which this fails are left out.

        Raises IGRError if it fails for the first photo.
        """
        start, category = time.monotonic(), one.item.category
        views, warnings = [], list(one.warnings)
        for number, (given, photo) in enumerate(zip(one.views, one.photos, strict=True)):
            try:
                if not isinstance(given, GarmentView):
                    person = unit_image(given)
                    found = self._masks.find(person, category, photo.box)
                    given = view_of(person, found.mask, found.category, self._settings, photo.path)
                    category = found.category
            except IGRError as error:
                if number == 0:
                    raise
                warnings.append(f"Restored without {photo.path}: {error}")
                continue
            views.append(given)
            warnings += given.warnings
        distinct = tuple(dict.fromkeys(warnings))
        left_out = len(one.item.photos) - len(views)
        return _Ready(one, category, tuple(different_views(views)), distinct, time.monotonic() - start, left_out)

    def _sample(self, ready: Sequence[_Ready]) -> list[_Sampled]:
        own, flattener = self._settings.restore, self._restorer.flattener
        views = [view for one in ready for view in one.views]
        sources = [] if flattener is None else [source_photos(view)[0] for view in views]
        # joined photos would all be as large as the largest
        views = [dataclasses.replace(view, photo=None, photo_mask=None) for view in views]
        photos, start = [], 0
        for one in ready:
            photos.append(tuple(range(start, start + len(one.views))))
            start += len(one.views)
        categories = [one.category for one in ready]
        view, seed = join_views(views), [own.seed] * len(ready)  # the same for every garment, however it is batched
        if flattener is not None:
            found = restore_flat(
                self._restorer, flattener, view, categories, own.sampling, seed=seed, photos=photos, sources=sources
            )
            return [
                _Sampled(flat.finished()[None], flat.garment.evidence if self._settings.evidence else None, flat)
                for flat in found
            ]
        evidences: Sequence[Evidence | None] = [None] * len(ready)
        if self._settings.evidence:
            images, evidences = self._restorer.restore_with_evidence(
                view, categories, own.sampling, seed=seed, photos=photos
            )
        else:
            images = self._restorer.restore(view, categories, own.sampling, seed=seed, photos=photos)
        return [_Sampled(image, evidence) for image, evidence in zip(images.split(1), evidences, strict=True)]

    def _finish(self, one: _Ready, sampled: _Sampled, share: float) -> Restored:
        start, warnings, image, evidence = time.monotonic(), list(one.warnings), sampled.image, sampled.evidence
        if not bool(torch.isfinite(image).all()):
            return self._failed(one, IGRError("The result contains NaN or infinite values: try --device cpu."))
        visible, seen, score, note, opacity = None, None, None, "", None
        try:
            view = join_views(one.views)
            if evidence is not None:
                score = agreement(image[0], view.person, evidence) if sampled.flat is None else sampled.flat.score
                image, visible, seen, note, opacity = presented(
                    image, evidence, view, self._settings.restore.detailing or Detailing(), sampled.flat
                )
            if self._settings.restore.transparent:
                cut = to_rgba(image, opacity)
                warnings += cutout_warnings(image, cut[:, 3:], view.mask[:1])
                image = cut
        except Exception as error:
            return self._failed(one, error)
        seconds = one.seconds + share + time.monotonic() - start
        return Restored(
            one.loaded.item,
            one.category,
            image,
            visible,
            view.person[:1],
            seen,
            score,
            tuple(warnings),
            note,
            seconds=seconds,
            left_out=one.left_out,
        )

    def _failed(self, one: _Ready, error: Exception) -> Restored:
        return Restored(one.loaded.item, one.category, warnings=one.warnings, error=sentence_of(error, one.loaded.name))


def _crashed(one: Loaded) -> Restored:
    return Restored(one.item, error=CRASHED, crashed=True, warnings=one.warnings)
