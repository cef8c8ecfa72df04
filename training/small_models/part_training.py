"""The training loop for the small models: VAE, image encoder, flattener, parser and segmenter."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from igr_core.files import write_tensors
from igr_core.model.config import to_json
from igr_core.ranges import Count, CountOrNone, Ranged, Seed, Weight

from ..base.optimisation.average import Average
from ..base.optimisation.finite import finite
from ..base.optimisation.optimizers import OptimizerName, build_optimizer, peaks_kept, set_rate
from ..base.optimisation.schedule import cosine_rate
from ..base.parts import write_summary
from ..base.provenance import command_line, note_start, noted_commands, noted_revisions, versions
from ..base.run.checkpoints import load_latest, save_checkpoint
from ..base.run.resume import check_same_run, is_lowered
from ..base.run.run_folder import RunFolder
from ..base.run.state import check_training, json_entry
from ..base.train_config import Decay, Few, Precision, Rate
from .same_inputs import input_hashes, same_inputs


@dataclass(frozen=True)
class PartTraining(Ranged):
    """Settings that all small models share."""

    run: str
    """Run folder: checkpoints, logs, images, and finally the trained model."""
    data: str = "runs/drawn"
    """Folder of drawn pairs to train on, as written by `python -m training data draw`."""
    held_out: str = "runs/drawn_heldout"
    """Folder of drawn pairs to measure on."""
    seed: Seed = 0
    """Seed of weights, samples and noise."""
    steps: Count = 1000
    """Optimiser steps."""
    batch: Few = 8
    """Samples per step."""
    optimizer: OptimizerName = "muon"
    """`muon`: Muon for kernels and matrices, AdamW for the rest; `adamw`: AdamW for everything."""
    learning_rate: Rate = 0.001
    """Peak learning rate, reached after the warm-up."""
    warmup: CountOrNone = 50
    """Steps of linear warm-up."""
    weight_decay: Weight = 0.01
    """Decoupled weight decay."""
    ema_decay: Decay = 0.99
    """Decay of the weights' moving average, which is measured and exported."""
    precision: Precision = "auto"
    """Mixed precision; `auto`: bf16 if it is fast on the GPU or CPU."""
    log_every: Count = 25
    """Steps between log entries of the loss."""
    save_every: Count = 250
    """Steps between checkpoints."""
    validate_every: Count = 250
    """Steps between measurements."""
    validation_pairs: Count = 64
    """Number of held-out pairs for measurements."""
    keep: Count = 2
    """Number of checkpoints to keep."""


FREE = frozenset(
    {
        "run",
        "held_out",
        "log_every",
        "save_every",
        "validate_every",
        "validation_pairs",
        "keep",
        "precision",
        "bfloat16",
    }
)
"""Entries that may change when a run is resumed, because they do not affect a step, except for rounding."""

C = TypeVar("C", bound=PartTraining)


def changed(config: C, **changes: Any) -> C:
    """The config with its entries replaced by a command's options, except those that are None."""
    return replace(config, **{name: value for name, value in changes.items() if value is not None})


def train_part(
    config: PartTraining,
    run: RunFolder,
    key: str,
    module: nn.Module,
    loss: Callable[[int], dict[str, Tensor]],
    measure: Callable[[int], dict[str, float]],
) -> None:
    """Train `module`, or resume its training; at the end, its weights are set to their average.

    `loss` returns the loss terms of a step, including `total`; `measure` scores the module after a step; `key` names
    the module in checkpoints. Raises IGRError for a loss or gradient that is not finite; the last checkpoint is kept.
    """
    with run.locked():
        _train(config, run, key, module, loss, measure, input_hashes(config))


def _train(
    config: PartTraining,
    run: RunFolder,
    key: str,
    module: nn.Module,
    loss: Callable[[int], dict[str, Tensor]],
    measure: Callable[[int], dict[str, float]],
    inputs: dict[str, str],
) -> None:
    optimizer = build_optimizer(
        module.named_parameters(), config.optimizer, config.learning_rate, weight_decay=config.weight_decay
    )
    average = Average(module, config.ema_decay)
    first = 0
    if (found := load_latest(run, check=partial(_check_state, config, inputs, run, key, module))) is not None:
        first = found.step
        module.load_state_dict(found.state[key])
        with peaks_kept(optimizer):
            optimizer.load_state_dict(found.state["optimizer"])
        average.load_state_dict(found.state["average"])
    note_start(run.path, first, command_line())
    start = time.monotonic()
    for step in tqdm(range(first, config.steps), initial=first, total=config.steps, unit="step", mininterval=5):
        terms = loss(step)
        check = partial(finite, step=step + 1, run=run, remedy="lower learning_rate or set precision to no")
        _update(optimizer, average, terms["total"], cosine_rate(step, config.steps, config.warmup), check)
        done = step + 1
        if done % config.log_every == 0 or done == config.steps:
            values = {f"train/{name}": float(term.detach()) for name, term in terms.items()}
            run.log(done, values | {"seconds": time.monotonic() - start})
        if done % config.validate_every == 0 and done < config.steps:
            average.swap()
            try:
                log_scores(run, done, measure(done))
            finally:
                average.swap()
        if done % config.save_every == 0 or done == config.steps:
            state = {
                key: module.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.state_dict(),
                "config": json.dumps(to_json(config)),
                "inputs": json.dumps(inputs),
            }
            save_checkpoint(run, done, state, config.keep)
    average.swap()


def _check_state(
    config: PartTraining, inputs: dict[str, str], run: RunFolder, key: str, module: nn.Module, state: dict[str, Any]
) -> None:
    """Raise IGRError if a checkpoint's run has another config, and DamagedError if its state is incomplete."""
    before = json_entry(state, "config")
    lowered = {"learning_rate"} if is_lowered(before.get("learning_rate"), config.learning_rate) else set()
    movable = same_inputs(json_entry(state, "inputs"), inputs, str(run.path))
    check_same_run(before, to_json(config), FREE | lowered | movable, str(run.path))
    trained = {name for name, weight in module.named_parameters() if weight.requires_grad}
    check_training(state, key, module.state_dict(), trained if config.ema_decay else set())


def log_scores(run: RunFolder, done: int, scores: dict[str, float]) -> None:
    """Log and print held-out scores."""
    run.log(done, {f"held_out/{name}": value for name, value in scores.items()})
    tqdm.write(f"step {done}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))


def save_part(path: Path, module: nn.Module, summary: dict[str, Any]) -> None:
    """Write a model's weights, its `summary` and its origin."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in module.state_dict().items()}
    write_tensors(path, weights)
    come_from = {
        "commands": noted_commands(path.parent),
        "revisions": noted_revisions(path.parent),
        "versions": versions(),
    }
    write_summary(path, summary | come_from)


def _update(
    optimizer: torch.optim.Optimizer, average: Average, loss: Tensor, share: float, check: Callable[[float, str], float]
) -> None:
    loss.backward()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = nn.utils.clip_grad_norm_(weights, 1.0)
    check(float(loss.detach()), "loss")
    check(float(norm), "gradient's norm")
    set_rate(optimizer, share)
    optimizer.step()
    optimizer.zero_grad()
    average.update()
