"""Measure the loss of white and pale cloth to a transparent background: `python -m tests.bench.cutouts PAIRS`.

PAIRS is a folder of drawn or rendered pairs (python -m training data draw). The palest garments of each kind are cut
from their background by the threshold alone and by garment_alpha, and compared with their true silhouettes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from igr_core.photo.flood_fill import border, flood
from igr_core.restore.background_removal import WHITE, garment_alpha
from training.data.caches.drawn import DrawnPairs

_EDGE = 2
"""Pixels on both sides of the true outline that are not counted."""


def by_threshold(image: Tensor) -> Tensor:
    """Pixels (B, 1, H, W) of images (B, 3, H, W) that are not near white, or not connected to the border."""
    distance = (1 - image).amax(1, keepdim=True)
    return ~flood(border(distance), distance <= WHITE)


def palest(pairs: DrawnPairs, kind: str, count: int) -> list[int]:
    """Indices of the palest garments: those whose median pixel has the brightest minimum channel."""
    rows = [row for row, name in enumerate(pairs.names) if name.startswith("seed-") == (kind == "drawn")]
    levels = []
    for row in rows:
        darkest = pairs.take("garment", [row])[0].amin(0)  # (H, W)
        inside = pairs.take("silhouette", [row])[0, 0] > 127
        levels.append(float(darkest[inside].float().median()) if bool(inside.any()) else 0.0)
    return [rows[place] for place in np.argsort(levels)[::-1][:count]]


def shares(found: Tensor, cover: Tensor) -> tuple[float, float]:
    """Fraction of a silhouette (1, 1, H, W) that is missing, and the added area as a fraction of the silhouette."""
    window = 2 * _EDGE + 1
    inner = F.max_pool2d((~cover).float(), window, 1, _EDGE) == 0
    outer = F.max_pool2d(cover.float(), window, 1, _EDGE) == 0
    area = max(1, int(cover.sum()))
    return float((inner & ~found).sum() / max(1, int(inner.sum()))), float((outer & found).sum() / area)


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of pairs.")],
    count: Annotated[int, typer.Option(min=1, help="Number of garments of each kind.")] = 50,
    brighter: Annotated[
        float, typer.Option(min=1, max=2, help="Factor that garments are brightened by, as models often do.")
    ] = 1.0,
) -> None:
    """Print the fraction of the garments that is mistaken for background, before and after."""
    pairs = DrawnPairs(folder)
    for kind in ("drawn", "rendered"):
        found = []
        for row in palest(pairs, kind, count):
            image = (pairs.take("garment", [row]).float() / 255 * brighter).clamp(0, 1)
            cover = pairs.take("silhouette", [row]) > 127
            found.append((*shares(by_threshold(image), cover), *shares(garment_alpha(image) >= 0.5, cover)))
        if not found:
            continue
        mean, worst = (reduced.tolist() for reduced in (torch.tensor(found).mean(0), torch.tensor(found).amax(0)))
        sys.stdout.write(
            f"{len(found)} {kind}: missing {mean[0]:.2%} (at most {worst[0]:.1%}) by the threshold, "
            f"{mean[2]:.2%} (at most {worst[2]:.1%}) by garment_alpha; added {mean[1]:.2%} and {mean[3]:.2%} "
            f"(at most {worst[1]:.1%} and {worst[3]:.1%})\n"
        )


if __name__ == "__main__":
    typer.run(main)
