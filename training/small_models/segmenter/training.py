"""Train the small SAM 2."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm
from transformers import Sam2Model

from igr_core.device import choose_device
from igr_core.model.config import Side
from igr_core.ranges import Count, Weight
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
from .model import STRIDE, SUMMARY, Learner, SegmenterShape, embed, save_segmenter
from .prompts import ASKED, boxes, clicks, label_shares, pick_regions, rough_masks
from .scores import overlaps

Kind = Literal["click", "clicks", "box", "rough_mask"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class SegmenterTraining(PhotoTraining):
    """Settings for training the segmenter."""

    run: str = "runs/segmenter"
    """Run folder: checkpoints, logs, and finally the model in its `segmenter` folder."""
    photos: Count = 3500
    """Number of photos to train on."""
    photo_size: tuple[Side, Side] = (192, 256)
    """Width and height of the photos, 3:4; they are resized to a square for the model."""
    batch: Few = 8
    """Photos per step."""
    single_clicks: Few = 5
    """Regions per photo and step that get a single click."""
    other_prompts: Few = 2
    """Regions per photo and step that get several clicks or a box; a rough mask is always used for one region."""
    segmenter: SegmenterShape = field(default_factory=SegmenterShape)
    """Shape of the model."""
    focal_weight: Weight = 20.0
    """Weight of the masks' focal loss; the dice loss has weight 1."""
    score_weight: Weight = 1.0
    """Weight of the absolute error of the predicted IoUs."""
    label_weight: Weight = 1.0
    """Weight of the cross-entropy of each cell's label."""


class Corpus:
    """Photos in memory, ready for the model: resized pixels, and the labels of each cell."""

    def __init__(self, photos: ParsedPhotos, side: int) -> None:
        """Read all photos for a model whose input is `side` pixels wide and high."""
        pixels, shares = [], []
        for picks in torch.arange(len(photos)).split(64):
            pictures, parsing = photos.take(picks.tolist())
            square = F.interpolate(pictures.float(), (side, side), mode="bilinear", antialias=True)
            pixels.append(square.round().byte())
            shares.append((label_shares(parsing, 4 * side // STRIDE) * 255).round().byte())
        self.pixels, self.shares = torch.cat(pixels), torch.cat(shares)

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, picks: Tensor) -> tuple[Tensor, Tensor]:
        """Some photos (B, 3, S, S) in 0..1 and their label_shares (B, labels, g, g)."""
        return self.pixels[picks].float() / 255, self.shares[picks].float() / 255


@dataclass(frozen=True)
class Ask:
    """Prompts of one type, the same number for each photo of a batch."""

    coverage: Tensor
    """Target regions, (B, P, g, g)."""
    given: dict[str, Tensor]
    """Inputs of Sam2Model."""

    def to(self, device: torch.device) -> Ask:
        """The same prompts on a device."""
        return Ask(self.coverage.to(device), {name: value.to(device) for name, value in self.given.items()})


def ask(kind: Kind, shares: Tensor, config: SegmenterTraining, generator: torch.Generator, click: bool = False) -> Ask:
    """Prompts of one type for regions of photos with label_shares (B, labels, g, g); `click` adds a click inside."""
    side = config.segmenter.image_size
    count = {"click": config.single_clicks, "rough_mask": 1}.get(kind, config.other_prompts)
    regions = pick_regions(shares, count, generator)
    given: dict[str, Tensor] = {}
    if kind in ("click", "clicks") or click:
        points = 1 if kind != "clicks" else int(torch.randint(2, 4, (), generator=generator))
        given["input_points"], given["input_labels"] = clicks(regions, side, points, generator)
    if kind == "box":
        given["input_boxes"] = boxes(regions, side, generator)
    if kind == "rough_mask":  # a mask is added to its photo's features, so there can be only one
        given["input_masks"] = rough_masks(regions, generator)
    return Ask(regions, given)


def segmenter_loss(
    learner: Learner, photos: Tensor, shares: Tensor, config: SegmenterTraining, step: int
) -> dict[str, Tensor]:
    """Loss terms for photos (B, 3, S, S) in 0..1 and their label_shares (B, labels, g, g).

    The losses are SAM 2's (focal and dice loss of the best mask, error of each mask's predicted IoU, presence of an
    object), plus a classification of each cell. One step in three predicts one mask instead of three. Each step uses
    single clicks and one other type of prompt.
    """
    model = learner.segmenter
    generator = step_generator(config.seed, step)
    flipped, single, click = (torch.rand(3, generator=generator) < torch.tensor([0.5, 1 / 3, 1 / 3])).tolist()
    if flipped:
        photos, shares = photos.flip(-1), shares.flip(-1)
    pixels = normalise(recoloured(photos, generator))
    with autocast(config.precision, model.device):
        features = embed(model, pixels.to(model.device))
    terms = {name: torch.zeros((), device=model.device) for name in ("mask", "score", "object")}
    rest = (1 - shares.sum(1, keepdim=True)).clamp(min=0)  # skin, faces, held objects
    wanted = torch.cat([shares, rest], 1).to(model.device)
    terms["labels"] = F.cross_entropy(learner.name_cells(features).float(), wanted)
    other = KINDS[1 + step % 3]
    for kind in ("click", other):
        asked = ask(kind, shares, config, generator, click).to(model.device)
        output = model(image_embeddings=features, multimask_output=not single, **asked.given)
        masks = output.pred_masks.float()
        real = overlaps(masks, asked.coverage)
        terms["mask"] += mask_losses(masks, asked.coverage, config.focal_weight).amin(-1).mean()
        terms["score"] += F.l1_loss(output.iou_scores.float(), real)
        terms["object"] += F.softplus(-output.object_score_logits.float()).mean()  # there is always an object
        terms[f"iou_{kind}"] = real.amax(-1).mean()
    terms["total"] = terms["mask"] + config.score_weight * terms["score"] + terms["object"]
    terms["total"] = terms["total"] + config.label_weight * terms["labels"]
    return terms


def mask_losses(masks: Tensor, coverage: Tensor, focal_weight: float) -> Tensor:
    """Focal plus dice loss (B, P, M) for logits (B, P, M, g, g) and regions (B, P, g, g)."""
    wanted = coverage[:, :, None].expand_as(masks)
    shares = masks.sigmoid()
    plain = F.binary_cross_entropy_with_logits(masks, wanted, reduction="none")
    focal = ((shares - wanted).square() * plain).mean((-2, -1))
    both, sizes = (shares * wanted).sum((-2, -1)), (shares + wanted).sum((-2, -1))
    return focal_weight * focal + 1 - (2 * both + 1) / (sizes + 1)


@torch.no_grad()
def measure(model: Sam2Model, corpus: Corpus, config: SegmenterTraining) -> dict[str, float]:
    """Mean IoU of the highest-scoring mask on held-out photos, for each type of prompt used in training."""
    found: dict[str, list[float]] = {}
    for picks in torch.arange(len(corpus)).split(config.batch):
        photos, shares = corpus.take(picks)
        features = embed(model, normalise(photos).to(model.device))
        for kind in KINDS:
            asked = ask(kind, shares, config, step_generator(config.seed, int(picks[0]))).to(model.device)
            output = model(image_embeddings=features, **asked.given)
            best = output.iou_scores.argmax(-1, keepdim=True)
            real = overlaps(output.pred_masks, asked.coverage).gather(-1, best)
            found.setdefault(kind, []).extend(real.flatten().tolist())
    return {f"iou_{kind}": sum(scores) / len(scores) for kind, scores in found.items()}


def train(config: SegmenterTraining, device: str = "cpu") -> Path:
    """Train or resume a run; returns the folder of the model."""
    check_start_kept(Path(config.run) / "segmenter", config.init)
    run, place = RunFolder(config.run), choose_device(device)
    side = config.segmenter.image_size
    seed_everything(config.seed)
    learner = Learner(config.segmenter, len(ASKED) + 1).train().to(place)
    model = learner.segmenter
    started_from = take_weights(model, config.init, SUMMARY)  # before drawing photos, because this can fail
    photos = Corpus(open_photos(config, config.photo_size), side)
    held_out = Corpus(open_photos(config, config.photo_size, held_out=True), side)
    size = parameter_count(model.parameters()) / 1e6
    tqdm.write(f"{config.run}: {size:.2f} M parameters, {counted(len(photos), 'photo')}.")

    def loss(step: int) -> dict[str, Tensor]:
        picks = torch.randint(len(photos), (config.batch,), generator=step_generator(config.seed, step))
        return segmenter_loss(learner, *photos.take(picks), config, step)

    train_part(config, run, "segmenter", learner, loss, lambda step: measure(model, held_out, config))
    scores = measure(model, held_out, config)
    log_scores(run, config.steps, scores)
    folder = run.path / "segmenter"
    save_segmenter(
        folder,
        model,
        training_summary(run.path, config, describe_photos(config, len(photos)), model, scores, started_from),
    )
    run.close()
    return folder
