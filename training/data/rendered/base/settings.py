"""Settings for rendering, which must be the same for all shards in a folder."""

from __future__ import annotations

from dataclasses import dataclass

from igr_core.errors import IGRError

MAX_PHOTOS = 8
"""Maximum number of photos per garment."""

LEAST_SAMPLES = 4
"""Minimum number of light paths per pixel: each of two directions is sampled in two ways, which gives four
combinations."""


@dataclass(frozen=True)
class RenderSettings:
    """Settings for the first stage: geometry and light."""

    size: tuple[int, int] = (384, 512)
    """Width and height in pixels of photos and product shots, 3:4."""
    photos: float = 2.4
    """Average number of photos per garment, each with a different body; at least 1."""
    defect_share: float = 0.0
    """Fraction of garments (0..1) that have a deliberate defect in all of their images, for curation."""
    held_out: bool = False
    """Use bodies, poses, cuts and textures that no training seed uses."""
    samples: int = 8
    """Light paths per pixel before denoising; at least LEAST_SAMPLES."""

    def __post_init__(self) -> None:
        width, height = self.size
        if width < 24 or width * 4 != height * 3:
            raise IGRError(f"Pairs cannot be rendered at {width}x{height}: use a 3:4 size such as 384x512.")
        if not 1 <= self.photos <= MAX_PHOTOS:
            raise IGRError(f"{self.photos:g} photos per garment cannot be rendered: choose 1 to {MAX_PHOTOS}.")
        if not 0 <= self.defect_share <= 1:
            raise IGRError(f"A defect share of {self.defect_share:g} is not valid: choose 0 to 1.")
        if self.samples < LEAST_SAMPLES:
            raise IGRError(
                f"{self.samples} light samples per pixel produce biased light: choose {LEAST_SAMPLES} or more."
            )
