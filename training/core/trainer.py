"""Train IGR: `python -m training train CONFIG.yaml --run DIR`. Used for igr-small and at the paper's scale."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.model.config import ModelConfig, from_json, to_json
from igr_core.model.igr import IGR
from igr_core.model.networks import build_scheduler

from ..base.optimisation.average import Average
from ..base.optimisation.finite import finite
from ..base.optimisation.optimizers import build_optimizer, set_rate
from ..base.optimisation.schedule import rate_share
from ..base.parts import parameter_count
from ..base.provenance import note_data
from ..base.run.checkpoints import Checkpoint, load_latest, load_share, resume_from, save_checkpoint, save_share
from ..base.run.run_folder import RunFolder
from ..base.run.stopping import StopRequest
from ..base.train_config import TrainConfig
from ..prepared.fits import low_resolution_config
from ..prepared.latents import Batch
from .batches import Batches
from .compute.acceleration import changed, uncompiled
from .compute.engine import Engine
from .compute.estimate import STATE_BYTES
from .compute.lora import add_lora
from .compute.throughput import Throughput
from .initial import initial_model
from .loss.step import TERMS, StepLosses
from .resume import (
    check_finite_parts,
    check_same_files,
    check_same_step,
    check_same_training,
    data_changes,
    file_contents,
    same_data,
    step_pairs,
)
from .state import check_state, check_version
from .validation import Validator


class Trainer:
    """Networks, optimiser and run folder of a training run."""

    def __init__(self, config: TrainConfig, run: RunFolder, allow_new_data: bool = False) -> None:
        """Build everything, and load the run's newest checkpoint, if any.

        Raises IGRError if the data or the run does not match the config. With `allow_new_data`, a run may be resumed
        with pairs or a mixture that differ from those it started with.
        """
        self.config = config
        self.allow_new_data = allow_new_data
        self.run = run
        check_finite_parts(config)
        checkpoint = load_latest(run, resume=False, check=check_state)
        self.batches = Batches(config, 0 if checkpoint is None else checkpoint.step)
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
        processes = self.engine.accelerator.num_processes
        self.losses = StepLosses(config, model, self.scheduler, self.engine.device, processes)
        self.average = Average(self.bare, config.ema_decay)
        self.clocks = self._clocks(processes)
        self.recent: list[list[float]] = []
        """TERMS of the steps since the last log entry."""
        self.stopped_by = 0
        self.computed_otherwise: list[str] = []
        """Differences in how previous steps were computed, for example on another machine."""
        self.new_data: list[str] = []
        """Differences between the data and the data of previous steps."""
        self.trained_on: dict[str, Any] | None = None
        """Record of the last step's data; None before the first step."""
        self.files = file_contents(config)
        self.step = self._resume(checkpoint)

    def _clocks(self, processes: int) -> tuple[Throughput | None, Throughput]:
        """Clocks for steps at low resolution, if the run has any, and at the model's own size."""
        device, low = self.engine.device, low_resolution_config(self.config)
        full = Throughput(self.config, self.bare.config, processes, device)
        if low is None or self.config.low_resolution is None:
            return None, full
        small = replace(self.bare.config, native_size=self.config.low_resolution.size)
        return Throughput(low, small, processes, device), full

    @property
    def throughput(self) -> Throughput:
        """The clock for the current step's resolution."""
        small, full = self.clocks
        low = self.config.low_resolution
        return small if small is not None and low is not None and self.step < low.steps else full

    @property
    def is_main(self) -> bool:
        """Whether this process logs, validates and writes checkpoints."""
        return self.engine.accelerator.is_main_process

    def _resume(self, checkpoint: Checkpoint | None) -> int:
        if checkpoint is None:
            if self.is_main:
                self.run.rewind(0)
            return 0
        state, where = checkpoint.state, str(self.run.path)
        check_version(state, where)
        if from_json(ModelConfig, json.loads(state["model_config"]), "checkpoint") != self.bare.config:
            raise IGRError(f"{where} was trained with a different model config: choose another --run folder.")
        check_same_training(self.config, state["train_config"], checkpoint.step, where)
        kept = json.loads(state["data"])
        check_same_step(self.config, self.engine.accelerator.num_processes, kept["step_pairs"], where)
        check_same_files(self.files, kept["files"], where)
        self.new_data = data_changes(self.config, self.batches.records, state["train_config"], kept["records"])
        if self.new_data and not self.allow_new_data:
            raise IGRError(
                f"{where} was trained on different data: {'; '.join(self.new_data)}. Restore the data, resume with the "
                "new data (--allow-new-data), or choose another --run folder."
            )
        self.trained_on = kept["trained_on"]
        try:
            self.engine.load(state["model"], self._optimizer_state(checkpoint.step, state))
        except IGRError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise IGRError(
                f"The optimiser's state in the checkpoint of step {checkpoint.step} does not fit {where} "
                f"({error}): delete this checkpoint to resume from the previous one."
            ) from error
        self.average.load_state_dict(state["average"])
        self.computed_otherwise = changed(state["acceleration"], self.engine.acceleration)
        self.recent = list(state["recent"])
        resume_from(self.run, checkpoint, rewind=self.is_main)
        return checkpoint.step

    def _optimizer_state(self, step: int, state: dict[str, Any]) -> dict[str, Any]:
        """The optimiser's state in a checkpoint: complete, or this process's part."""
        accelerator = self.engine.accelerator
        found, wanted = state.get("shares", 0), accelerator.num_processes if self.engine.sharded else 0
        if found != wanted:
            ways = {0: "without ZeRO-2"}
            raise IGRError(
                f"{self.run.path} was saved {ways.get(found, f'by {found} processes with ZeRO-2')}, but was resumed "
                f"{ways.get(wanted, f'with {wanted} processes with ZeRO-2')}: resume it as it was saved, or start a "
                "new run from its exported bundle (init_bundle)."
            )
        return load_share(self.run, step, accelerator.process_index) if found else state["optimizer"]

    @property
    def checkpoint_bytes(self) -> int:
        """Approximate size of a checkpoint in bytes: weights, their average, and the optimiser's state."""
        trained = parameter_count(p for p in self.bare.parameters() if p.requires_grad)
        copies = parameter_count(self.bare.parameters()) + parameter_count(self.average.weights.values())
        return round(4 * copies + STATE_BYTES[self.config.optimizer.name] * trained)

    def save(self) -> None:
        """Write a checkpoint of the current step; called by every process."""
        accelerator, optimizer = self.engine.accelerator, self.engine.optimizer_state()
        if self.engine.sharded:  # the checkpoint is written last, so its existence implies that all parts exist
            save_share(self.run, self.step, accelerator.process_index, optimizer)
            accelerator.wait_for_everyone()
        if self.is_main:
            state: dict[str, Any] = {
                "model_config": json.dumps(to_json(self.bare.config)),
                "model": self.bare.state_dict(),
                "average": self.average.state_dict(),
                "train_config": json.dumps(to_json(self.config)),
                "data_settings": json.dumps(self.batches.first.settings[0]),
                "data": json.dumps(
                    {
                        "records": self.batches.records,
                        "trained_on": self.trained_on,
                        "files": self.files,
                        "step_pairs": step_pairs(self.config, accelerator.num_processes),
                    }
                ),
                "recent": self.recent,
                "acceleration": asdict(self.engine.acceleration),
            }
            whole = {"shares": accelerator.num_processes} if self.engine.sharded else {"optimizer": optimizer}
            save_checkpoint(self.run, self.step, state | whole, self.config.keep_checkpoints)
        if self.engine.sharded:
            accelerator.wait_for_everyone()

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        """Iterate over (index of the part within its step, batch) for this process, starting at the current step."""
        accelerator = self.engine.accelerator
        return self.batches.after(self.step, accelerator.num_processes, accelerator.process_index)

    def learning_rate_share(self) -> float:
        """Fraction of the peak learning rate at the current step."""
        return rate_share(self.config.optimizer, self.step, self.config.steps)

    def _optimizer_step(self, batches: Iterator[tuple[int, Batch]], stop: StopRequest) -> tuple[list[float], float]:
        """Take one step over its micro-batches; returns the TERMS of its loss, and the gradient norm.

        One reduction shares the TERMS and any request to stop, so that all processes agree on whether to continue.
        """
        accelerator, losses = self.engine.accelerator, self.losses
        set_rate(self.engine.optimizer, self.learning_rate_share())
        parts = islice(batches, self.config.accumulation)
        drawn = [(losses.draw(part, batch, self.step), batch) for part, batch in parts]
        visible = losses.visible(drawn)
        if visible is not None:
            visible = accelerator.reduce(visible, reduction="sum")
        terms, total, norm = torch.zeros(len(TERMS), device=self.engine.device), [math.nan], math.nan
        for rows, batch in drawn:
            with accelerator.accumulate(self.engine.model):
                loss, numbers = losses(self.engine.model, self.engine.autocast, rows, batch, visible)
                terms += numbers
                if accelerator.sync_gradients:
                    total = self._agreed(terms, stop)
                taken = self.engine.step(loss * losses.parts)  # the mean over the parts is the sum of their losses
                if taken is not None:
                    norm = self._finite(taken, "gradient norm")
        return total, norm

    def _agreed(self, terms: Tensor, stop: StopRequest) -> list[float]:
        """Sum TERMS over all processes, and share requests to stop; if a sum is not finite, every process raises
        IGRError."""
        sent = torch.cat([terms, terms.new_full((1,), float(stop.received > 0))])
        *values, asked = self.engine.accelerator.reduce(sent, reduction="sum").tolist()
        for value in values:
            self._finite(value, "loss")
        if asked > 0:
            self.stopped_by = stop.received or int(signal.SIGTERM)
        return values

    def _finite(self, value: float, what: str) -> float:
        return finite(value, what, self.step + 1, self.run, "lower the learning rate or use precision `no`")

    def run_steps(self, validator: Validator | None, until: int | None = None) -> None:
        """Train to config.steps, or to step `until` if that comes first, while logging, saving and validating.

        Ctrl-C and SIGTERM end the run after a complete step, which is saved; `stopped_by` is then the signal's number.
        Raises IGRError for a loss that is not finite; the last checkpoint is kept.
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
                clock = self.throughput
                with clock.step():
                    terms, norm = self._optimizer_step(batches, stop)
                self.average.update()
                self.step += 1
                bar.update()
                bar.set_postfix(loss=f"{terms[0]:.4f}")
                self.recent.append(terms)
                self._after_step(norm, clock, validator, last)

    def _note_data(self) -> None:
        """Log and record the data of this step if it differs from that of the previous step."""
        record = self.batches.current
        if record is not None and not same_data(record, self.trained_on) and self.is_main:
            note_data(self.run.path, self.step - 1, record)
            self.run.log(self.step, {"data/pairs": record["pairs"], "data/round": record["round"]})
        self.trained_on = record

    def _after_step(self, norm: float, clock: Throughput, validator: Validator | None, until: int) -> None:
        config = self.config
        self._note_data()
        if self.step % config.log_every == 0:
            rate = self.learning_rate_share() * config.optimizer.learning_rate
            if self.is_main:
                values = self.losses.logged(self.recent) | {"gradient_norm": norm, "learning_rate": rate}
                self.run.log(self.step, values | clock.logged())
            self.recent.clear()
        last = self.step == config.steps
        if self.step == until or self.stopped_by or self.step % config.checkpoint_every == 0:
            self.save()
        if self.is_main and validator is not None and (last or self.step % config.validate_every == 0):
            self._validate(validator)

    def _validate(self, validator: Validator) -> None:
        """Validate the averaged weights; the current weights are always restored."""
        self.average.swap()
        try:
            self.bare.eval()
            with uncompiled():
                values = validator.losses(self.bare, self.scheduler, self.engine.autocast, self.losses.correspondence)
                self.run.log(self.step, values)
                validator.grid(self.bare, self.step)
        finally:
            self.bare.train()
            self.average.swap()


def model_summary(config: ModelConfig, model: IGR) -> str:
    """One line that describes the model."""
    trained = parameter_count(p for p in model.parameters() if p.requires_grad)
    width, height = config.native_size
    return f"{trained / 1e6:.1f} M trainable weights, {width}x{height} pixels, view {config.view.mode}"
