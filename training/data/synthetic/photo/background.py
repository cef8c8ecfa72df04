"""Backgrounds behind the person."""

import numpy as np

from ..art.arrays import Array, enlarge, smooth_noise, soft

KINDS = ("studio",) * 6 + ("gradient",) * 2 + ("room",) * 3 + ("blur", "outdoor")


def draw_background(rng: np.random.Generator, height: int, width: int, floor: float) -> tuple[Array, str]:
    """Draw a background (h, w, 3) float32; `floor` is the vertical position of the feet, as a fraction of the image."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    tone = float(rng.uniform(150, 246))
    tint = rng.uniform(-14, 14, 3).astype(np.float32)
    base = np.clip(tone + tint, 40, 252).astype(np.float32)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 0.75, width, dtype=np.float32)[None, :]
    glow = 1 - 0.35 * ((x - 0.375) ** 2 + (y - 0.4) ** 2)
    out = glow[..., None] * base
    if kind == "gradient":
        other = np.clip(base + rng.uniform(-70, 20, 3), 30, 250).astype(np.float32)
        out = out + y[..., None] * (other - base)
    elif kind == "room":
        level = min(0.97, floor - float(rng.uniform(0.02, 0.12)))
        ground = np.clip(base * float(rng.uniform(0.55, 0.85)) + rng.uniform(-16, 16, 3), 20, 240).astype(np.float32)
        cover = soft(y - level, 0.004)[..., None]
        out = out * (1 - cover) + ground * cover * (0.9 + 0.1 * (y[..., None] - level) / max(0.05, 1 - level))
        out -= 16 * soft(0.006 - np.abs(y - level), 0.003)[..., None]
    elif kind in ("blur", "outdoor"):
        grid = np.stack([enlarge(smooth_noise(rng, 6, 5), height, width) for _ in range(2)], -1)
        colours = rng.uniform(-60, 60, (2, 3)).astype(np.float32)
        if kind == "outdoor":
            colours = np.array([[-60, -20, -70], [30, 34, 20]], np.float32) * float(rng.uniform(0.5, 1.0))
        out = out * 0.9 + np.clip(grid, -1.2, 1.2) @ colours * 0.4
    return np.clip(out, 0, 255).astype(np.float32), kind
