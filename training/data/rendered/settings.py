"""How records are rendered; every shard of a folder is rendered alike."""

from __future__ import annotations

from dataclasses import dataclass

from igr_core.errors import IGRError

MAX_PHOTOS = 8
"""Photos of one garment at most."""


@dataclass(frozen=True)
class RenderSettings:
    """Settings of stage one: geometry and light."""

    size: tuple[int, int] = (384, 512)
    """Width and height in pixels of photos and product shots, 3:4."""
    photos: float = 2.4
    """Photos of each garment on average, each on another body; at least 1."""
    defect_share: float = 0.0
    """Share of the photos (0..1) that have a defect on purpose, for curation."""
    held_out: bool = False
    """Bodies, poses, cuts and textures that no training seed uses."""
    samples: int = 8
    """Light paths traced per pixel before denoising."""

    def __post_init__(self) -> None:
        width, height = self.size
        if width < 24 or width * 4 != height * 3:
            raise IGRError(f"Pairs of {width}x{height} cannot be rendered: give a 3:4 size such as 384x512.")
        if not 1 <= self.photos <= MAX_PHOTOS:
            raise IGRError(f"{self.photos:g} photos of each garment cannot be rendered: give 1 to {MAX_PHOTOS}.")
        if not 0 <= self.defect_share <= 1:
            raise IGRError(f"A share of {self.defect_share:g} cannot have defects: give 0 to 1.")
        if self.samples < 1:
            raise IGRError(f"Light cannot be traced with {self.samples} samples: give 1 or more.")
