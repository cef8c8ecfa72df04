"""Train the network that lays garments out flat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from igr_core.device import choose_device
from igr_core.errors import IGRError
from igr_core.flatten.model_file import load_flattener, save_flattener
from igr_core.flatten.network import CELL, Flattener, FlattenerConfig
from igr_core.model.config import CATEGORIES, to_json
from igr_core.ranges import Count
from igr_core.text import counted

from ...base.hardware import autocast
from ...base.outputs import check_kept
from ...base.parts import parameter_count, write_summary
from ...base.provenance import noted_commands, noted_revisions, versions
from ...base.run.randomness import seed_everything, step_generator
from ...base.run.run_folder import RunFolder
from ...base.train_config import Decay, Rate
from ...data.caches.drawn import DrawnPairs
from ...data.contract.correspondence import pixels_to_cells
from ...prepared.fits import check_pairs_apart, check_seeds
from ..part_training import PartTraining, log_scores, train_part
from .augmentation import FlattenerAugmentation, Samples, augment
from .losses import FlattenerLoss, flattener_loss
from .scores import flattener_scores

FILE = "flattener.safetensors"
"""Name of the finished network in its run folder."""
_FEWEST_VISIBLE = 0.004
"""Pairs whose garment covers a smaller fraction of the photo are skipped."""


@dataclass(frozen=True)
class FlattenerTraining(PartTraining):
    """Settings for training the flattening network."""

    run: str = "runs/flattener"
    """Run folder: checkpoints, logs, and finally the network in flattener.safetensors."""
    data: str = "runs/pairs"
    """Folder of pairs with correspondences to train on, as written by `python -m training data draw
    --correspondence`."""
    held_out: str = "runs/pairs_heldout"
    """Folder of such pairs to measure on."""
    init: str | None = None
    """A finished network of the same shape to start from; None for random weights."""
    steps: Count = 4000
    """Optimiser steps."""
    learning_rate: Rate = 0.003
    """Peak learning rate, reached after the warm-up."""
    ema_decay: Decay = 0.998
    """Decay of the weights' moving average, which is measured and exported."""
    validation_pairs: Count = 144
    """Number of held-out pairs for measurements."""
    network: FlattenerConfig = field(default_factory=FlattenerConfig)
    """Sizes of the network; `size` is that of the pairs."""
    loss: FlattenerLoss = field(default_factory=FlattenerLoss)
    """Weights of the loss terms."""
    augmentation: FlattenerAugmentation = field(default_factory=FlattenerAugmentation)
    """Random changes of the photos."""


class Corpus:
    """Pairs with correspondences, read on demand."""

    def __init__(self, folder: str, size: tuple[int, int], limit: int | None = None) -> None:
        """Open a folder; raises IGRError if its pairs have another size or no correspondence."""
        self.pairs = DrawnPairs(folder)
        if self.pairs.config.size != size:
            width, height = self.pairs.config.size
            raise IGRError(
                f"{folder} contains pairs of {width}x{height}, but the network's size is {size[0]}x{size[1]}: "
                f"draw pairs with --size {size[0]}x{size[1]}, or set network.size."
            )
        seen = self.pairs.visible
        self.rows = [
            row
            for row, share in enumerate(seen)
            if share >= _FEWEST_VISIBLE and self.pairs.correspondence(row) is not None
        ][:limit]
        if not self.rows:
            raise IGRError(f"{folder} has no correspondences: draw its pairs again with --correspondence.")

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, picks: list[int]) -> Samples:
        """Some pairs, as the network sees them."""
        rows = [self.rows[pick] for pick in picks]
        photo = torch.cat([self.pairs.take(name, rows) for name in ("person", "mask")], 1).float() / 255
        maps = torch.stack([_known(self.pairs.correspondence(row)) for row in rows])
        width, height = self.pairs.config.size
        categories = torch.tensor([CATEGORIES.index(self.pairs.categories[row]) for row in rows])
        opacity, garment = (self.pairs.take(name, rows).float() / 255 for name in ("silhouette", "garment"))
        return Samples(photo, categories, pixels_to_cells(maps, (height // CELL, width // CELL)), opacity, garment)

    def batches(self, size: int) -> Iterator[Samples]:
        """All pairs, in order."""
        for first in range(0, len(self), size):
            yield self.take(list(range(first, min(first + size, len(self)))))


def train(config: FlattenerTraining, device: str = "cpu") -> dict[str, float]:
    """Train or resume a run; returns the held-out scores of the finished network.

    Raises IGRError for pairs of another size or without correspondences, and for training pairs with held-out seeds.
    """
    path = Path(config.run) / FILE
    check_kept(path, "--run", [] if config.init is None else [Path(config.init)])
    place = choose_device(device)
    seed_everything(config.seed)
    network = _begun(config).train().to(place)
    pairs = Corpus(config.data, config.network.size)
    check_seeds(pairs.pairs.seeds, f"specify pairs other than {config.data}")
    held_out = Corpus(config.held_out, config.network.size, config.validation_pairs)
    check_pairs_apart(pairs.pairs.names, held_out.pairs.names, config.held_out)
    run = RunFolder(config.run)
    millions = parameter_count(network.parameters()) / 1e6
    tqdm.write(f"{config.run}: {millions:.2f} M parameters, {counted(len(pairs), 'pair')}.")

    def loss(step: int) -> dict[str, Tensor]:
        generator = step_generator(config.seed, step)
        picks = torch.randint(len(pairs), (config.batch,), generator=generator).tolist()
        samples = augment(pairs.take(picks), config.augmentation, generator)
        samples = Samples(*(one.to(place) for one in samples))
        with autocast(config.precision, place):
            found = network(samples.photo, samples.category)
        return flattener_loss(found, samples, config.loss)

    def measure(_: int) -> dict[str, float]:
        return flattener_scores(network, held_out.batches(config.batch))

    train_part(config, run, "flattener", network, loss, measure)
    scores = measure(config.steps)
    log_scores(run, config.steps, scores)
    save_flattener(path, network)
    write_summary(path, _summary(config, run.path, network, scores, pairs))
    run.close()
    return scores


def _begun(config: FlattenerTraining) -> Flattener:
    """The network to train: a finished one, or one with random weights."""
    network = Flattener(config.network)
    if config.init is not None:
        finished = load_flattener(Path(config.init))
        if finished.config != config.network:
            raise IGRError(f"init: {config.init} has other sizes than `network`: use another file, or omit init.")
        network.load_state_dict(finished.state_dict())
    return network


def _summary(
    config: FlattenerTraining, run: Path, network: Flattener, scores: dict[str, float], pairs: Corpus
) -> dict[str, object]:
    return {
        "data": f"{counted(len(pairs), 'pair')} of {config.data}",
        "pairs": pairs.pairs.described,
        "parameters": parameter_count(network.parameters()),
        "scores": scores,
        "training": to_json(config),
        "commands": noted_commands(run),
        "revisions": noted_revisions(run),
        "versions": versions(),
    }


def _known(found: Tensor | None) -> Tensor:
    assert found is not None
    return found
