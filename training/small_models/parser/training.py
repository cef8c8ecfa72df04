"""Train the small human parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm
from transformers import SegformerForSemanticSegmentation

from igr_core.device import choose_device
from igr_core.ranges import Weight
from igr_core.segmentation.labels import ATR
from igr_core.text import counted

from ...base.hardware import autocast
from ...base.parts import parameter_count
from ...base.run.randomness import seed_everything, step_generator
from ...base.run.run_folder import RunFolder
from ...base.train_config import Few
from ...data.caches.parsed import ParsedPhotos
from ..model_folder import check_start_kept, take_weights, training_summary
from ..part_training import log_scores, train_part
from ..photos import PhotoTraining, describe_photos, normalise, open_photos, recoloured
from .labels import atr_labels, label_shares, mirrored
from .model import CELL, SUMMARY, ParserShape, build_parser, save_parser
from .scores import confusion, label_overlaps


@dataclass(frozen=True)
class ParserTraining(PhotoTraining):
    """Settings for training the parser."""

    run: str = "runs/parser"
    """Run folder: checkpoints, logs, and finally the model in its `parser` folder."""
    batch: Few = 8
    """Photos per step."""
    parser: ParserShape = field(default_factory=ParserShape)
    """Shape of the model; photos are drawn at its input_size, which must be 3:4."""
    dice_weight: Weight = 0.5
    """Weight of the labels' dice loss; the cross-entropy has weight 1."""


class Corpus:
    """Photos and their ATR labels, in memory."""

    def __init__(self, photos: ParsedPhotos) -> None:
        """Read all photos."""
        self.pixels, parsing = photos.take(range(len(photos)))
        self.labels = atr_labels(parsing, photos.skirts())

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, picks: Tensor) -> tuple[Tensor, Tensor]:
        """Some photos (B, 3, h, w) in 0..1 and their labels (B, h, w), uint8."""
        return self.pixels[picks].float() / 255, self.labels[picks]


def parser_loss(
    model: SegformerForSemanticSegmentation, photos: Tensor, labels: Tensor, config: ParserTraining, step: int
) -> dict[str, Tensor]:
    """Loss terms for photos (B, 3, h, w) in 0..1 and their labels (B, h, w), at the resolution of the logits.

    Half of the photos are mirrored, with the labels of left and right limbs swapped; the lighting is changed in all
    photos.
    """
    generator = step_generator(config.seed, step)
    flipped = torch.rand(len(photos), generator=generator) < 0.5
    photos = torch.where(flipped[:, None, None, None], photos.flip(-1), photos)
    labels = torch.where(flipped[:, None, None], mirrored(labels), labels)
    pixels = normalise(recoloured(photos, generator)).to(model.device)
    with autocast(config.precision, model.device):
        logits = model(pixel_values=pixels).logits.float()
    wanted = label_shares(labels, CELL).to(model.device)
    terms = {"labels": F.cross_entropy(logits, wanted), "dice": dice_loss(logits, wanted)}
    terms["total"] = terms["labels"] + config.dice_weight * terms["dice"]
    return terms


def dice_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean dice loss over the labels in a batch, for logits and label_shares (B, labels, h, w).

    Every label has the same weight, whether it is a shoe or a dress. The whole batch counts as one region, so that
    small labels such as shoes have enough cells.
    """
    shares = logits.softmax(1)
    both, sizes = (shares * wanted).sum((0, 2, 3)), (shares + wanted).sum((0, 2, 3))
    there = wanted.sum((0, 2, 3)) > 0
    return (1 - (2 * both + 1) / (sizes + 1))[there].mean()


@torch.no_grad()
def measure(model: SegformerForSemanticSegmentation, corpus: Corpus, batch: int) -> dict[str, float]:
    """IoU of each label on held-out photos, and its mean over labels; leaves the model in training mode."""
    model.eval()
    confused = torch.zeros(len(ATR.labels), len(ATR.labels), dtype=torch.long)
    for picks in torch.arange(len(corpus)).split(batch):
        photos, labels = corpus.take(picks)
        logits = model(pixel_values=normalise(photos).to(model.device)).logits
        logits = F.interpolate(logits, labels.shape[1:], mode="bilinear")  # as HumanParser does
        confused += confusion(logits.argmax(1).cpu(), labels)
    model.train()
    found = label_overlaps(confused)
    return {"mean": sum(found.values()) / len(found)} | found


def train(config: ParserTraining, device: str = "cpu") -> Path:
    """Train or resume a run; returns the folder of the model."""
    check_start_kept(Path(config.run) / "parser", config.init)
    run, place = RunFolder(config.run), choose_device(device)
    seed_everything(config.seed)
    model = build_parser(config.parser).train().to(place)  # before drawing photos, because this checks their size
    started_from = take_weights(model, config.init, SUMMARY)
    size = config.parser.input_size
    photos = Corpus(open_photos(config, size))
    held_out = Corpus(open_photos(config, size, held_out=True))
    millions = parameter_count(model.parameters()) / 1e6
    tqdm.write(f"{config.run}: {millions:.2f} M parameters, {counted(len(photos), 'photo')}.")

    def loss(step: int) -> dict[str, Tensor]:
        picks = torch.randint(len(photos), (config.batch,), generator=step_generator(config.seed, step))
        return parser_loss(model, *photos.take(picks), config, step)

    train_part(config, run, "parser", model, loss, lambda step: measure(model, held_out, config.batch))
    found = measure(model, held_out, config.batch)
    log_scores(run, config.steps, found)
    folder = run.path / "parser"
    save_parser(
        folder,
        model,
        config.parser,
        training_summary(run.path, config, describe_photos(config, len(photos)), model, found, started_from),
    )
    run.close()
    return folder
