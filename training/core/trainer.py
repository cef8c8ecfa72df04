"""Train IGR: `python -m training train CONFIG.yaml --run DIR`. One trainer for the demo and for full scale."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.model.config import ModelConfig, from_json, to_json
from igr_core.model.garmfus import Noted
from igr_core.model.igr import IGR
from igr_core.model.networks import build_scheduler

from ..base.checkpoints import load_latest, load_share, newest_step, resume_from, save_checkpoint, save_share
from ..base.optimisation.average import Average
from ..base.optimisation.optimizers import build_optimizer, set_rate
from ..base.optimisation.schedule import rate_share
from ..base.parts import parameter_count
from ..base.randomness import step_generator
from ..base.run_folder import RunFolder
from ..base.stopping import StopRequest
from ..base.train_config import TrainConfig
from ..prepared.latents import Batch
from .batches import Batches
from .compute.acceleration import changed, uncompiled
from .compute.engine import Engine
from .compute.lora import add_lora
from .compute.throughput import Throughput
from .correspondence_loss import CorrespondenceLoss, places_logged
from .extra_losses import ExtraLosses
from .initial import initial_model
from .objective import draw_rows, drop_at, predict, predict_watched, row_loss
from .resume import check_same_training
from .validation import Validator


class Trainer:
    """The networks, their optimiser and their run folder."""

    def __init__(self, config: TrainConfig, run: RunFolder) -> None:
        """Build everything, or take it from the run's newest checkpoint; IGRError when data or run do not fit."""
        self.config = config
        self.run = run
        self.batches = Batches(config, newest_step(run))
        model = initial_model(config)
        if config.lora is not None:
            add_lora(model, config.lora)
        self.scheduler = build_scheduler(model.config.noise)
        options = config.optimizer
        optimizer = build_optimizer(
            model.named_parameters(),
            options.name,
            options.learning_rate,
            options.muon_learning_rate,
            options.weight_decay,
            options.betas,
        )
        self.engine = Engine(config, model, optimizer)
        self.bare = self.engine.bare
        self.batches.to(self.engine.device)
        self.extra_losses = ExtraLosses.of(config, self.scheduler, self.engine.device)
        self.average = Average(self.bare, config.ema_decay)
        processes = self.engine.accelerator.num_processes
        self.throughput = Throughput(config, self.bare.config, processes, self.engine.device)
        self.correspondence = None
        if config.correspondence_weight > 0:
            self.correspondence = CorrespondenceLoss(config.correspondence_heads, model)
        self.recent: list[float] = []
        self.recent_places: list[list[float]] = []
        self.stopped_by = 0
        self.computed_otherwise: list[str] = []
        """In what the steps that were taken were computed otherwise, on another machine say."""
        self.step = self._resume()

    @property
    def is_main(self) -> bool:
        """Whether this is the process that logs, validates and writes checkpoints."""
        return self.engine.accelerator.is_main_process

    def _resume(self) -> int:
        checkpoint = load_latest(self.run, resume=False)
        if checkpoint is None:
            return 0
        state, where = checkpoint.state, str(self.run.path)
        if from_json(ModelConfig, json.loads(state["model_config"]), "checkpoint") != self.bare.config:
            raise IGRError(f"{where} was trained with another model config: choose another --run folder.")
        check_same_training(self.config, state["train_config"], checkpoint.step, where)
        self.engine.load(state["model"], self._optimizer_state(checkpoint.step, state))
        self.average.load_state_dict(state["average"])
        self.computed_otherwise = changed(state["acceleration"], self.engine.acceleration)
        self.recent = list(state["recent"])
        self.recent_places = list(state["recent_places"])
        resume_from(self.run, checkpoint, rewind=self.is_main)
        return checkpoint.step

    def _optimizer_state(self, step: int, state: dict[str, Any]) -> dict[str, Any]:
        """The optimiser's state in a checkpoint: whole, or this process's share of it."""
        accelerator = self.engine.accelerator
        found, wanted = state.get("shares", 0), accelerator.num_processes if self.engine.sharded else 0
        if found != wanted:
            ways = {0: "without ZeRO-2"}
            raise IGRError(
                f"{self.run.path} was saved {ways.get(found, f'by {found} processes with ZeRO-2')} and goes on "
                f"{ways.get(wanted, f'with {wanted} processes with ZeRO-2')}: start it as it was, or start a new run "
                "from its exported bundle (init_bundle)."
            )
        return load_share(self.run, step, accelerator.process_index) if found else state["optimizer"]

    def save(self) -> None:
        """Write a checkpoint of this very step; every process calls it."""
        accelerator, optimizer = self.engine.accelerator, self.engine.optimizer_state()
        if self.engine.sharded:  # the checkpoint itself comes last: where it is, all shares are
            save_share(self.run, self.step, accelerator.process_index, optimizer)
            accelerator.wait_for_everyone()
        if self.is_main:
            state: dict[str, Any] = {
                "model_config": json.dumps(to_json(self.bare.config)),
                "model": self.bare.state_dict(),
                "average": self.average.state_dict(),
                "train_config": json.dumps(to_json(self.config)),
                "data_settings": json.dumps(self.batches.first.settings[0]),
                "recent": self.recent,
                "recent_places": self.recent_places,
                "acceleration": asdict(self.engine.acceleration),
            }
            whole = {"shares": accelerator.num_processes} if self.engine.sharded else {"optimizer": optimizer}
            save_checkpoint(self.run, self.step, state | whole, self.config.keep_checkpoints)
        if self.engine.sharded:
            accelerator.wait_for_everyone()

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        """(which part of its step, batch) for this process, from the current step on."""
        accelerator = self.engine.accelerator
        return self.batches.after(self.step, accelerator.num_processes, accelerator.process_index)

    def learning_rate_share(self) -> float:
        """Share of the peak learning rate at the current step."""
        return rate_share(self.config.optimizer, self.step, self.config.steps)

    def _loss(self, part: int, batch: Batch) -> Tensor:
        """The loss of one part of a step."""
        config, accelerator = self.config, self.engine.accelerator
        rows = draw_rows(
            batch,
            self.scheduler,
            drop_at(config.drop, self.step),
            step_generator(config.seed * 1_000, self.step),
            config.data.draws_per_pair,
            config.min_snr_gamma,
            part=(part, accelerator.num_processes * config.accumulation),
        )
        rows = rows.to(self.engine.device, non_blocking=True)
        batch = batch.to(self.engine.device, non_blocking=True)
        notes: dict[str, list[Noted]] = {}
        with self.engine.autocast():
            if self.correspondence is not None:
                predicted, notes = predict_watched(self.engine.model, rows, batch, self.correspondence.blocks)
            else:
                predicted = predict(self.engine.model, rows, batch)
        loss = row_loss(predicted, rows).mean()
        if self.extra_losses is not None:
            loss = loss + self.extra_losses(predicted, rows, batch)
        if self.correspondence is not None:
            found = self.correspondence(notes, batch, config.data.draws_per_pair)
            loss = loss + config.correspondence_weight * found.loss
            self.recent_places.append([float(x) for x in (found.loss.detach(), found.hits, found.cells)])
        return loss

    def _optimizer_step(self, batches: Iterator[tuple[int, Batch]], stop: StopRequest) -> tuple[float, float]:
        """One step of the weights over its micro-batches: the mean loss of all processes, and the gradient's norm.

        What every process must agree on, a loss that is not finite and a wish to stop, goes through one reduction.
        """
        accelerator = self.engine.accelerator
        losses, mean, norm = torch.zeros((), device=self.engine.device), math.nan, math.nan
        set_rate(self.engine.optimizer, self.learning_rate_share())
        for _ in range(self.config.accumulation):
            part, batch = next(batches)
            with accelerator.accumulate(self.engine.model):
                loss = self._loss(part, batch)
                losses += loss.detach() / self.config.accumulation
                if accelerator.sync_gradients:
                    mean = self._agreed(losses, stop)
                taken = self.engine.step(loss)
                if taken is not None:
                    norm = self._finite(taken, "gradient's norm")
        return mean, norm

    def _agreed(self, loss: Tensor, stop: StopRequest) -> float:
        """The loss over all processes; IGRError in all of them where it is not finite; notes who asked to stop."""
        told = torch.stack([loss, torch.full_like(loss, float(stop.received > 0))])
        mean, asked = self.engine.accelerator.reduce(told, reduction="mean").tolist()
        self._finite(mean, "loss")
        if asked > 0:
            self.stopped_by = stop.received or int(signal.SIGTERM)
        return mean

    def _finite(self, value: float, what: str) -> float:
        """The same number; IGRError where it is not finite: the weights are then not to be saved."""
        if not math.isfinite(value):
            raise IGRError(
                f"The {what} of step {self.step + 1} is {value}: lower the learning rate or use precision `no`; "
                f"the last good checkpoint in {self.run.checkpoints} is whole."
            )
        return value

    def run_steps(self, validator: Validator | None, until: int | None = None) -> None:
        """Train to config.steps, or to step `until` if that comes first, logging, checkpointing and validating.

        Ctrl-C and SIGTERM end it after a whole step, which is saved; `stopped_by` then names the signal.
        Raises IGRError on a loss that is not finite; the last checkpoint stays as it was.
        """
        self.engine.model.train()
        self.stopped_by = 0
        last = self.config.steps if until is None else min(until, self.config.steps)
        batches = self._batches()
        with (
            StopRequest() as stop,
            tqdm(total=self.config.steps, initial=self.step, unit="step", disable=not self.is_main) as bar,
        ):
            while self.step < last and not self.stopped_by:
                with self.throughput.step():
                    loss, norm = self._optimizer_step(batches, stop)
                self.average.update()
                self.step += 1
                bar.update()
                bar.set_postfix(loss=f"{loss:.4f}")
                self.recent.append(loss)
                self._after_step(norm, validator, last)

    def _after_step(self, norm: float, validator: Validator | None, until: int) -> None:
        config = self.config
        if self.step % config.log_every == 0:
            rate = self.learning_rate_share() * config.optimizer.learning_rate
            loss = sum(self.recent) / len(self.recent)
            if self.is_main:
                values = {"loss": loss, "gradient_norm": norm, "learning_rate": rate}
                values |= places_logged(self.recent_places, "correspondence")
                self.run.log(self.step, values | self.throughput.logged())
            self.recent.clear()
            self.recent_places.clear()
        last = self.step == config.steps
        if self.step == until or self.stopped_by or self.step % config.checkpoint_every == 0:
            self.save()
        if self.is_main and validator is not None and (last or self.step % config.validate_every == 0):
            self._validate(validator)

    def _validate(self, validator: Validator) -> None:
        """Show the averaged weights; the live ones are put back whatever happens."""
        self.average.swap()
        try:
            self.bare.eval()
            with uncompiled():
                values = validator.losses(self.bare, self.scheduler, self.engine.autocast, self.correspondence)
                self.run.log(self.step, values)
                validator.grid(self.bare, self.step)
        finally:
            self.bare.train()
            self.average.swap()


def model_summary(config: ModelConfig, model: IGR) -> str:
    """One line on what is trained."""
    trained = parameter_count(p for p in model.parameters() if p.requires_grad)
    width, height = config.native_size
    return f"{trained / 1e6:.1f} M trained parameters, {width}x{height} pixels, view {config.view.mode}"
