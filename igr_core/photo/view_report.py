"""Report on the model's view in words, with measurements of each photo and warnings."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..errors import IGRError
from .mask_warnings import MaskFacts, mask_warnings, measure_mask
from .view import GarmentView, Placement

NO_WARNINGS = "No warnings."


@dataclass(frozen=True)
class ViewReport:
    """Report on a view."""

    lines: tuple[str, ...]
    """Two sentences for each photo, on the area of its mask and on the part that the model sees."""
    warnings: tuple[str, ...]
    """Warnings with remedies; empty if there is nothing to warn about."""

    @property
    def text(self) -> str:
        """The whole report, one sentence per line, warnings first."""
        return "\n".join((*self.warnings, self.measures))

    @property
    def measures(self) -> str:
        """The measurements, one sentence per line, preceded by NO_WARNINGS if there are no warnings."""
        return "\n".join(self.lines if self.warnings else (NO_WARNINGS, *self.lines))


def report_view(view: GarmentView, category: str | None = None) -> ViewReport:
    """Report on the model's view of B photos; the category, if known, makes the warnings more accurate.

    Raises IGRError for a view that was stored without its photos.
    """
    if view.photo_mask is None:
        raise IGRError("The view has no mask to report on: create the view again with Garment Mask/Crop.")
    facts = [measure_mask(mask) for mask in view.photo_mask.split(1)]
    facts = facts * len(view.placements) if len(facts) == 1 else facts
    lines = []
    for number, (one, placement, seen) in enumerate(zip(facts, view.placements, view.mask, strict=True), 1):
        name = f"Photo {number}" if len(facts) > 1 else "The photo"
        lines += [_measures(name, one), _seen(placement, seen)]
    return ViewReport(tuple(lines), mask_warnings(view.photo_mask, category))


def _measures(name: str, facts: MaskFacts) -> str:
    left, top, right, bottom = facts.box
    return (
        f"{name} is {facts.size[0]}×{facts.size[1]} pixels; the garment covers {facts.share:.1%} of it, and its crop "
        f"is {right - left}×{bottom - top} pixels at ({left}, {top})."
    )


def _seen(placement: Placement, mask: Tensor) -> str:
    """A sentence about the visible part of a photo, from the photo's mask (1, H, W) on the canvas and its placement."""
    left, top, right, bottom = placement.source_rect
    x0, y0, x1, y1 = placement.canvas_rect
    width, height = placement.canvas_size
    everything = (right - left, bottom - top) == placement.source_size
    part = "all of it" if everything else f"{right - left}×{bottom - top} pixels at ({left}, {top})"
    padding = 1 - (x1 - x0) * (y1 - y0) / (width * height)
    return (
        f"The model sees {part}, at {width}×{height} pixels (scale {(x1 - x0) / (right - left):.2f}): "
        f"{float(mask.mean()):.1%} garment, {padding:.1%} padding."
    )
