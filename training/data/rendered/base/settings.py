"""How records are rendered; every shard of a folder is rendered alike."""

from __future__ import annotations

from dataclasses import dataclass

from igr_core.errors import IGRError

MAX_PHOTOS = 8
"""Photos of one garment at most."""

LEAST_SAMPLES = 4
"""Light paths per pixel at least: two of each way to choose a direction, at both of their ends."""


@dataclass(frozen=True)
class RenderSettings:
    """Settings of stage one: geometry and light."""

    size: tuple[int, int] = (384, 512)
    """Width and height in pixels of photos and product shots, 3:4."""
    photos: float = 2.4
    """Photos of each garment on average, each on another body; at least 1."""
    defect_share: float = 0.0
    """Share of the garments (0..1) whose pictures all have a defect on purpose, for curation."""
    held_out: bool = False
    """Bodies, poses, cuts and textures that no training seed uses."""
    samples: int = 8
    """Light paths traced per pixel before denoising, at least LEAST_SAMPLES."""

    def __post_init__(self) -> None:
        width, height = self.size
        if width < 24 or width * 4 != height * 3:
            raise IGRError(f"Pairs of {width}x{height} cannot be rendered: give a 3:4 size such as 384x512.")
        if not 1 <= self.photos <= MAX_PHOTOS:
            raise IGRError(f"{self.photos:g} photos of each garment cannot be rendered: give 1 to {MAX_PHOTOS}.")
        if not 0 <= self.defect_share <= 1:
            raise IGRError(f"A share of {self.defect_share:g} cannot have defects: give 0 to 1.")
        if self.samples < LEAST_SAMPLES:
            raise IGRError(f"Light of {self.samples} samples a pixel is biased: give {LEAST_SAMPLES} or more.")
