"""Scores of a human parser on garments of held-out photos, with and without a given category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.labels import ATR, AUTO, LabelNames, garment_mask

from ..held_out import AS_DRAWN, HeldOutPhoto, held_out_photos, overlap
from .labels import TAUGHT, atr_labels


@dataclass(frozen=True)
class ParserScore:
    """A parser's scores on a photo."""

    category: str
    """Category of the garment."""
    overlap: float
    """Intersection over union of the garment with the mask for its category; 0 if nothing is found."""
    overlap_of_truth: float
    """The same for the mask from the true labels, which is below 1 if ATR's labels cannot distinguish two garments."""
    auto: str
    """Category that the parser chooses by itself; empty if it finds no garment."""
    auto_of_truth: str
    """Category from the true labels: the larger of top and trousers, even if that is not the garment."""


def parser_scores(
    parser: HumanParser, count: int, size: tuple[int, int] = AS_DRAWN.photo_size, records: str | None = None
) -> tuple[list[ParserScore], dict[str, float]]:
    """Return a score for each of `count` held-out photos, and the IoU of each label.

    Photos have `size` (width, height). They are drawn or, if `records` is given, made by dressing its rendered people.

    Raises IGRError for a parser with labels other than ATR's.
    """
    if parser.names is not ATR:
        raise IGRError(
            f"The parser uses {parser.names.name} labels, but ATR labels are required: use a parser such as one "
            "trained with train-parser."
        )
    photos = tqdm(
        held_out_photos(count, size, records=records), total=count, unit="photo", desc="measuring", mininterval=5
    )
    confused = torch.zeros(len(ATR.labels), len(ATR.labels), dtype=torch.long)
    scores = []
    for one in photos:
        found, truth = parser.parse(one.pixels()), true_labels(one)
        scores.append(score_of(found, truth, parser.names, one))
        confused += confusion(found, truth)
    return scores, label_overlaps(confused)


def score_of(found: Tensor, truth: Tensor, names: LabelNames, one: HeldOutPhoto) -> ParserScore:
    """The score of a predicted label map (1, H, W) compared with `truth`, both with ATR's labels."""
    mask, _ = find_garment(found, names, one.category)
    best, _ = find_garment(truth, ATR, one.category)
    return ParserScore(
        one.category,
        overlap(mask, one.mask),
        overlap(best, one.mask),
        find_garment(found, names, AUTO)[1],
        find_garment(truth, ATR, AUTO)[1],
    )


def find_garment(labels: Tensor, names: LabelNames, category: str) -> tuple[np.ndarray, str]:
    """A garment's mask, bool (H, W), from a label map (1, H, W), and its category; both empty if none is found."""
    try:
        masks, categories = garment_mask(labels, names, category)
    except IGRError:
        return np.zeros(tuple(labels.shape[1:]), bool), ""
    return masks[0, 0].numpy() > 0.5, categories[0]


def true_labels(one: HeldOutPhoto) -> Tensor:
    """ATR's labels (1, H, W) of a held-out photo."""
    return atr_labels(torch.from_numpy(one.parsing)[None], torch.tensor([one.skirt])).long()


def confusion(found: Tensor, truth: Tensor) -> Tensor:
    """Confusion matrix (labels, labels) of label maps (B, H, W): number of pixels with label i predicted as label j."""
    count = len(ATR.labels)
    return (truth.long() * count + found.long()).flatten().bincount(minlength=count * count).view(count, count)


def label_overlaps(confused: Tensor) -> dict[str, float]:
    """IoU of each trained label that occurs, from a confusion matrix (labels, labels)."""
    right, either = confused.diagonal(), confused.sum(0) + confused.sum(1) - confused.diagonal()
    there = [number for number, label in enumerate(ATR.labels) if label in TAUGHT and confused[number].sum()]
    return {ATR.labels[number]: float(right[number] / either[number]) for number in there}
