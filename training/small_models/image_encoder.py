"""Train igr-small's image encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from tqdm import tqdm
from transformers import CLIPVisionModelWithProjection

from igr_core.device import choose_device
from igr_core.errors import IGRError
from igr_core.model.config import ImageEncoderConfig, to_json
from igr_core.model.image_encoder import preprocess
from igr_core.model.networks import build_image_encoder
from igr_core.photo.masks import mask_box
from igr_core.photo.view import crop_garment
from igr_core.ranges import Count, Range, Share, Weight
from igr_core.text import counted

from ..base.hardware import autocast
from ..base.parts import parameter_count
from ..base.run.randomness import seed_everything, step_generator
from ..base.run.run_folder import RunFolder
from ..base.statistics import spread
from ..base.train_config import Few
from ..data.caches.drawn import DrawnPairs
from ..prepared.fits import check_pairs_apart, check_seeds
from .part_training import PartTraining, log_scores, save_part, train_part

Cells = Annotated[int, Range(1, 128)]
"""Number of cells or pixels per side to predict."""
SMALL_ENCODER = ImageEncoderConfig(
    hidden_size=128,
    intermediate_size=512,
    num_hidden_layers=4,
    num_attention_heads=4,
    image_size=224,
    patch_size=28,
    projection_dim=128,
)


@dataclass(frozen=True)
class ImageEncoderTraining(PartTraining):
    """Settings for training the image encoder."""

    run: str = "runs/image_encoder"
    """Run folder: checkpoints, logs, and finally image_encoder.safetensors and image_encoder.json."""
    steps: Count = 1600
    """Optimiser steps."""
    batch: Few = 48
    """Pairs per step; all other pairs in the step are negatives for a pair."""
    save_every: Count = 150
    """Steps between checkpoints."""
    validate_every: Count = 150
    """Steps between measurements."""
    validation_pairs: Count = 256
    """Number of held-out pairs to measure on and to retrieve from."""
    image_encoder: ImageEncoderConfig = field(default_factory=lambda: SMALL_ENCODER)
    """Shape of the CLIP vision tower."""
    contrast_weight: Weight = 0.5
    """Weight of the symmetric InfoNCE loss between crop and flat garment."""
    thumbnail_weight: Weight = 10.0
    """Weight of the mean absolute error of the flat garment's thumbnail, predicted from the crop's embedding."""
    flat_weight: Weight = 10.0
    """Weight of the mean absolute error of the flat garment's cells, predicted from the penultimate hidden states."""
    flat_cells: tuple[Cells, Cells] = (6, 8)
    """Width and height of the flat garment's grid, in cells."""
    flat_detail: Cells = 8
    """Pixels per cell side for flat_weight."""
    patch_weight: Weight = 1.0
    """Weight of the mean absolute error of each patch's own pixels, predicted from its penultimate hidden state."""
    patch_detail: Cells = 8
    """Pixels per patch side for patch_weight."""
    label_weight: Weight = 0.2
    """Weight of the cross-entropy of each label, predicted from the crop's embedding."""
    labels: tuple[str, ...] = ("category", "cut", "pattern", "neckline", "sleeve")
    """Labels to predict: the category and attributes."""
    thumbnail: tuple[Cells, Cells] = (12, 16)
    """Width and height of the thumbnail in pixels."""
    minimum_visible: Share = 0.004
    """Pairs whose garment covers a smaller fraction of the photo are skipped."""


class Corpus:
    """Drawn pairs for the encoder: crops, flat garments cropped in the same way, thumbnails and labels."""

    def __init__(self, folder: str, config: ImageEncoderTraining, words: dict[str, list[str]] | None = None) -> None:
        """`words` is the vocabulary of each label, which by default is collected from the pairs in `folder`."""
        self.pairs = DrawnPairs(folder)
        self.rows = [row for row, seen in enumerate(self.pairs.visible) if seen >= config.minimum_visible]
        if not self.rows:
            raise IGRError(f"{folder} has no pair with a sufficiently visible garment: draw more pairs.")
        self.size = config.image_encoder.image_size
        found = [{"category": self.pairs.categories[row], **self.pairs.attributes[row]} for row in self.rows]
        self.words = words or {name: sorted({str(one.get(name)) for one in found}) for name in config.labels}
        numbers = {name: {word: at for at, word in enumerate(known)} for name, known in self.words.items()}
        self.labels = {
            name: torch.tensor([known.get(str(one.get(name)), -100) for one in found])
            for name, known in numbers.items()
        }
        (width, height), (columns, lines), detail = config.thumbnail, config.flat_cells, config.flat_detail
        flats, thumbnails, cells = [], [], []
        for row in tqdm(self.rows, desc=f"reading {folder}", unit="pair", mininterval=5):
            garment = self.pairs.take("garment", [row]).float() / 255
            silhouette = self.pairs.take("silhouette", [row]).float() / 255
            thumbnails.append(F.interpolate(garment, (height, width), mode="area"))
            small = F.interpolate(garment, (lines * detail, columns * detail), mode="area")
            cells.append(rearrange(small, "b c (h p) (w q) -> b (h w) (c p q)", p=detail, q=detail))
            flats.append((crop_garment(garment, silhouette, mask_box(silhouette), self.size) * 255).round().byte())
        self.flats, self.thumbnails, self.cells = torch.cat(flats), torch.cat(thumbnails), torch.cat(cells)

    def __len__(self) -> int:
        return len(self.rows)

    def crops(self, picks: Tensor) -> Tensor:
        """The tower's input for the photos' crops, (B, 3, S, S)."""
        crops = self.pairs.take("crop", [self.rows[pick] for pick in picks.tolist()]).float() / 255
        if crops.shape[-1] != self.size:
            crops = F.interpolate(crops, (self.size, self.size), mode="bilinear", antialias=True)
        return preprocess(crops)

    def flat(self, picks: Tensor) -> Tensor:
        """The tower's input for the flat garments, (B, 3, S, S)."""
        return preprocess(self.flats[picks].float() / 255)


class FlatCells(nn.Module):
    """Predicts the flat garment cell by cell from hidden states, with learned queries as in a resampler."""

    def __init__(self, config: ImageEncoderTraining) -> None:
        super().__init__()
        shape, (columns, lines) = config.image_encoder, config.flat_cells
        width = shape.hidden_size
        self.queries = nn.Parameter(torch.randn(lines * columns, width) / width**0.5)
        self.norm = nn.LayerNorm(width)
        self.read = nn.TransformerDecoderLayer(
            width, shape.num_attention_heads, shape.intermediate_size, dropout=0.0, batch_first=True, norm_first=True
        )
        self.draw = nn.Linear(width, 3 * config.flat_detail**2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states (B, 1 + patches, C) → pixels of each cell, (B, cells, 3 flat_detail²)."""
        queries = self.queries.expand(len(tokens), -1, -1)
        return self.draw(self.read(queries, self.norm(tokens)))


class EncoderTask(nn.Module):
    """The tower, plus heads that are discarded after training."""

    def __init__(self, config: ImageEncoderTraining, words: dict[str, list[str]]) -> None:
        super().__init__()
        shape = config.image_encoder
        outputs = 3 * config.thumbnail[0] * config.thumbnail[1]
        self.tower: CLIPVisionModelWithProjection = build_image_encoder(shape)
        self.tower.set_attn_implementation("eager")  # with 65 tokens, fused attention has a slower backward pass
        keep_fp32(self.tower.vision_model.embeddings)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.from_embedding = nn.Linear(shape.projection_dim, outputs)
        self.from_tokens = FlatCells(config)
        self.from_patch = nn.Linear(shape.hidden_size, 3 * config.patch_detail**2)
        self.classify = nn.ModuleDict({name: nn.Linear(shape.projection_dim, len(w)) for name, w in words.items()})

    def features(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Image embedding (B, D) and penultimate hidden states (B, 1 + patches, C), which image prompts use."""
        output = self.tower(pixel_values=pixels, output_hidden_states=True)
        return output.image_embeds.float(), output.hidden_states[-2].float()

    def similarity(self, crops: Tensor, flats: Tensor) -> Tensor:
        """Scaled cosine similarity (B, B) between two sets of embeddings."""
        scale = self.logit_scale.clamp(max=4.6).exp()
        return scale * F.normalize(crops, dim=-1) @ F.normalize(flats, dim=-1).T


def keep_fp32(module: nn.Module) -> None:
    """Exclude a module from autocast, because a patch convolution's backward pass in bfloat16 is slow on CPUs."""
    forward = module.forward

    def outside(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(next(module.parameters()).device.type, enabled=False):
            return forward(*args, **kwargs)

    module.forward = outside


def encoder_loss(task: EncoderTask, corpus: Corpus, picks: Tensor, config: ImageEncoderTraining) -> dict[str, Tensor]:
    """Loss terms for a batch of pairs; `total` is minimised."""
    device = task.logit_scale.device
    pixels = torch.cat([corpus.crops(picks), corpus.flat(picks)]).to(device)  # (2 B, 3, S, S)
    with autocast(config.precision, device):
        embeddings, tokens = task.features(pixels)
    count = len(picks)
    crop, flat = embeddings[:count], embeddings[count:]
    similarity, own = task.similarity(crop, flat), torch.arange(count, device=device)
    thumbnail = corpus.thumbnails[picks].flatten(1).to(device)
    cells = corpus.cells[picks].to(device)
    terms = {
        "contrast": (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2,
        "thumbnail": F.l1_loss(task.from_embedding(crop), thumbnail),
        "flat": F.l1_loss(task.from_tokens(tokens[:count]), cells),
        "patch": F.l1_loss(task.from_patch(tokens[:, 1:]), patch_pixels(pixels, config)),
    }
    for name, labels in corpus.labels.items():
        terms[name] = F.cross_entropy(task.classify[name](crop), labels[picks].to(device))
    weights = {
        "contrast": config.contrast_weight,
        "thumbnail": config.thumbnail_weight,
        "flat": config.flat_weight,
        "patch": config.patch_weight,
    }
    terms["total"] = sum(
        (weights.get(name, config.label_weight) * term for name, term in terms.items()), torch.zeros(())
    )
    return terms


def patch_pixels(pixels: Tensor, config: ImageEncoderTraining) -> Tensor:
    """The patches of images (B, 3, S, S), reduced to patch_detail pixels per side: (B, patches, 3 patch_detail²)."""
    shape = config.image_encoder
    side = shape.image_size // shape.patch_size * config.patch_detail
    small = F.interpolate(pixels, (side, side), mode="area")
    return F.unfold(small, config.patch_detail, stride=config.patch_detail).transpose(1, 2)


@torch.no_grad()
def measure(task: EncoderTask, held_out: Corpus, config: ImageEncoderTraining) -> dict[str, float]:
    """Held-out scores: retrieval of flat garments by crop, errors of thumbnail, cells and patches, label accuracies."""
    picks, device = torch.tensor(spread(len(held_out), config.validation_pairs)), task.logit_scale.device
    with autocast(config.precision, device):
        crop, tokens = (torch.cat(parts) for parts in zip(*_in_parts(task, held_out.crops, picks), strict=True))
        flat = torch.cat([embedding for embedding, _ in _in_parts(task, held_out.flat, picks)])
    thumbnail = held_out.thumbnails[picks].flatten(1).to(device)
    patches = patch_pixels(held_out.crops(picks).to(device), config)
    cells = held_out.cells[picks].to(device)
    scores = {
        "retrieval_at_1": _share(task.similarity(crop, flat).argmax(1).cpu() == torch.arange(len(picks))),
        "thumbnail_l1": float(F.l1_loss(task.from_embedding(crop), thumbnail)),
        "patch_l1": float(F.l1_loss(task.from_patch(tokens[:, 1:]), patches)),
        "thumbnail_l1_of_mean": float(F.l1_loss(thumbnail.mean(0).expand_as(thumbnail), thumbnail)),
        "flat_l1": float(F.l1_loss(task.from_tokens(tokens), cells)),
        "flat_l1_of_mean": float(F.l1_loss(cells.mean(0).expand_as(cells), cells)),
        "embedding_std": float(crop.std()),
    }
    for name, labels in held_out.labels.items():
        scores[f"accuracy_{name}"] = _share(task.classify[name](crop).argmax(1).cpu() == labels[picks])
    return scores


def train(config: ImageEncoderTraining, device: str = "cpu") -> dict[str, float]:
    """Train or resume a run; returns the final held-out measurements."""
    place = choose_device(device)
    pairs = DrawnPairs(config.data)
    check_seeds(pairs.seeds, f"draw pairs other than those in {config.data}")
    check_pairs_apart(pairs.names, DrawnPairs(config.held_out).names, config.held_out)
    run = RunFolder(config.run)
    corpus = Corpus(config.data, config)
    held_out = Corpus(config.held_out, config, corpus.words)
    seed_everything(config.seed)
    task = EncoderTask(config, corpus.words).to(place)
    millions = parameter_count(task.tower.parameters()) / 1e6
    tqdm.write(f"{config.run}: {millions:.2f} M parameters, {counted(len(corpus), 'pair')}.")

    def loss(step: int) -> dict[str, Tensor]:
        picks = torch.randint(len(corpus), (config.batch,), generator=step_generator(config.seed, step))
        return encoder_loss(task, corpus, picks, config)

    train_part(config, run, "task", task, loss, lambda step: measure(task, held_out, config))
    scores = measure(task, held_out, config)
    log_scores(run, config.steps, scores)
    shape = to_json(config.image_encoder)
    summary = {"image_encoder": shape, "scores": scores, "training": to_json(config), "pairs": len(corpus)}
    save_part(Path(config.run) / "image_encoder.safetensors", task.tower, summary)
    run.close()
    return scores


def _in_parts(task: EncoderTask, read: Any, picks: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [task.features(read(some).to(task.logit_scale.device)) for some in picks.split(64)]


def _share(hits: Tensor) -> float:
    return float(hits.float().mean())
