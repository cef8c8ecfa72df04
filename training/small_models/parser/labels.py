"""Training labels for a human parser: the generator's labels, converted to ATR's and mirrored with the photo."""

from __future__ import annotations

import torch
from torch import Tensor

from igr_core.segmentation.labels import ATR

from ...data.synthetic.painting.canvas import LABELS

MEANS = {
    "background": "background",
    "hair": "hair",
    "face": "face",
    "skin": "face",  # neck and midriff; ATR has no label for them, so they count as face
    "left_arm": "left-arm",
    "right_arm": "right-arm",
    "left_leg": "left-leg",
    "right_leg": "right-leg",
    "left_shoe": "left-shoe",
    "right_shoe": "right-shoe",
    "upper": "upper-clothes",
    "lower": "pants",
    "full": "dress",
    "coat": "upper-clothes",
    "bag": "bag",
    "object": "background",  # objects in front of a person are not part of the person
}
"""ATR's label for each of LABELS; for `lower`, the label of trousers."""
TAUGHT = tuple(label for label in ATR.labels if label in {*MEANS.values(), "skirt"})
"""ATR's labels that drawn people have."""


def atr_labels(parsing: Tensor, skirts: Tensor) -> Tensor:
    """ATR's labels, uint8 (B, h, w), for indices into LABELS (B, h, w).

    `skirts`, (B,) bool, marks photos in which `lower` is a skirt.
    """
    numbers = torch.tensor([ATR.labels.index(MEANS[label]) for label in LABELS], dtype=torch.uint8)
    labels = numbers[parsing.long()]
    skirt = (parsing == LABELS.index("lower")) & skirts[:, None, None]
    return labels.masked_fill(skirt, ATR.labels.index("skirt"))


def mirrored(labels: Tensor) -> Tensor:
    """Mirror label maps (B, h, w) with ATR's labels: a left arm becomes a right arm."""
    other = [ATR.labels.index(_other_side(label)) for label in ATR.labels]
    return torch.tensor(other, dtype=labels.dtype, device=labels.device)[labels.flip(-1).long()]


def label_shares(labels: Tensor, stride: int) -> Tensor:
    """Fraction of each cell that each of ATR's labels covers in label maps (B, h, w): (B, labels, h', w').

    Cells are `stride` pixels wide and high.
    """
    cells = labels.unflatten(2, (-1, stride)).unflatten(1, (-1, stride))  # (B, rows, stride, columns, stride)
    counts = [(cells == number).sum((2, 4), dtype=torch.uint8) for number in range(len(ATR.labels))]
    return torch.stack(counts, 1).float() / stride**2


def _other_side(label: str) -> str:
    side, _, part = label.partition("-")
    return {"left": f"right-{part}", "right": f"left-{part}"}.get(side, label)
