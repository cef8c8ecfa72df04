"""Train IGR: `python -m training.train CONFIG.yaml --run DIR`. One trainer for the demo and for full scale."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor
from tqdm import tqdm

from igr_core.bundle import Bundle
from igr_core.config import ModelConfig, from_json, to_json
from igr_core.errors import IGRError
from igr_core.model import IGR
from igr_core.networks import build_scheduler

from .command import StopRequest, command_line, one_sentence
from .config import TrainConfig
from .data.latents import Batch, PreparedPairs, batch_indices
from .fits import check_fits
from .objective import draw_rows, drop_at, predict, row_loss
from .optimizers import build_optimizer, set_rate
from .provenance import note_parent, note_start
from .resume import check_same_run
from .run import (
    Average,
    RunFolder,
    load_config,
    load_latest,
    parameter_count,
    resume_from,
    save_checkpoint,
    seed_everything,
    step_generator,
    write_text,
)
from .schedule import rate_share
from .validation import Validator


def initial_model(config: TrainConfig) -> IGR:
    """The networks before the first step: from config.init_bundle, else random by config.seed."""
    if config.init_bundle is not None:
        return IGR.from_bundle(Bundle.open(config.init_bundle)).float()
    seed_everything(config.seed)
    model = IGR(config.model)
    for prompt in model.prompts.values():
        prompt.data.normal_()
    if config.key_from_query:
        start_keys_as_queries(model)
    return model


@torch.no_grad()
def start_keys_as_queries(model: IGR) -> None:
    """W_k = W_q in every self-attention, so that equal positions attend to each other from the start."""
    for net in (model.denoiser, model.garmnet):
        for name, module in net.named_modules() if net is not None else ():
            if name.endswith("attn1"):
                module.to_k.weight.copy_(module.to_q.weight)  # type: ignore[union-attr, operator]


class Trainer:
    """The networks, their optimiser and their run folder."""

    def __init__(self, config: TrainConfig, run: RunFolder) -> None:
        """Build everything, or take it from the run's newest checkpoint; IGRError when data or run do not fit."""
        self.config = config
        self.run = run
        self.data = PreparedPairs(config.data.train, config.data.limit)
        check_fits(config, self.data, "training")
        self.accelerator = Accelerator(
            mixed_precision=config.precision,
            gradient_accumulation_steps=config.accumulation,
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        model = initial_model(config)
        if config.gradient_checkpointing:
            for net in (model.denoiser, model.garmnet):
                if net is not None:
                    net.enable_gradient_checkpointing()
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
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.bare: IGR = self.accelerator.unwrap_model(self.model)
        self.average = Average(self.bare, config.ema_decay)
        self.recent: list[float] = []
        self.stopped_by = 0
        self.step = self._resume()

    def _resume(self) -> int:
        checkpoint = load_latest(self.run, resume=False)
        if checkpoint is None:
            return 0
        state = checkpoint.state
        if from_json(ModelConfig, json.loads(state["model_config"]), "checkpoint") != self.bare.config:
            raise IGRError(f"{self.run.path} was trained with another model config: choose another --run folder.")
        if "train_config" in state:  # checkpoints of older versions lack it
            check_same_run(self.config, state["train_config"], checkpoint.step, str(self.run.path))
        self.bare.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.recent = list(state.get("recent", ()))
        resume_from(self.run, checkpoint, rewind=self.accelerator.is_main_process)
        return checkpoint.step

    def save(self) -> None:
        """Write a checkpoint of this very step."""
        if not self.accelerator.is_main_process:
            return
        state: dict[str, Any] = {
            "model_config": json.dumps(to_json(self.bare.config)),
            "model": self.bare.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "train_config": json.dumps(to_json(self.config)),
            "data_settings": json.dumps(self.data.settings[0]),
            "recent": self.recent,
        }
        save_checkpoint(self.run, self.step, state, self.config.keep_checkpoints)

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        """(running number of the micro-batch, batch) for this process, from the current step on."""
        processes, rank = self.accelerator.num_processes, self.accelerator.process_index
        size = self.config.data.pairs_per_batch
        first = self.step * self.config.accumulation
        chosen = batch_indices(len(self.data), size * processes, self.config.seed, first)
        for number, indices in enumerate(chosen, start=first):
            yield number, self.data.batch(indices[rank * size : (rank + 1) * size])

    def learning_rate_share(self) -> float:
        """Share of the peak learning rate at the current step."""
        return rate_share(self.config.optimizer, self.step, self.config.steps)

    def _micro_step(self, number: int, batch: Batch) -> Tensor:
        """Leave the gradients of one batch; gives its loss."""
        rank_seed = self.config.seed * 1_000 + self.accelerator.process_index
        rows = draw_rows(
            batch,
            self.scheduler,
            drop_at(self.config.drop, self.step),
            step_generator(rank_seed, number),
            self.config.data.draws_per_pair,
            self.config.min_snr_gamma,
        )
        rows, batch = rows.to(self.accelerator.device), batch.to(self.accelerator.device)
        with self.accelerator.autocast():
            predicted = predict(self.model, rows, batch)
        loss = row_loss(predicted, rows).mean()
        self.accelerator.backward(loss)
        return loss.detach()

    def _optimizer_step(self, batches: Iterator[tuple[int, Batch]], stop: StopRequest) -> tuple[float, float]:
        """One step of the weights over its micro-batches: the mean loss of all processes, and the gradient's norm.

        What every process must agree on, a loss that is not finite and a wish to stop, goes through one reduction.
        """
        losses, mean, norm = torch.zeros((), device=self.accelerator.device), math.nan, math.nan
        set_rate(self.optimizer, self.learning_rate_share())
        for _ in range(self.config.accumulation):
            number, batch = next(batches)
            with self.accelerator.accumulate(self.model):
                losses += self._micro_step(number, batch) / self.config.accumulation
                if self.accelerator.sync_gradients:
                    mean = self._agreed(losses, stop)
                    clipped = self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
                    norm = float(clipped) if clipped is not None else norm
                self.optimizer.step()
                self.optimizer.zero_grad()
        return mean, norm

    def _agreed(self, loss: Tensor, stop: StopRequest) -> float:
        """The loss over all processes; IGRError in all of them where it is not finite; notes who asked to stop."""
        told = torch.stack([loss, torch.full_like(loss, float(stop.received > 0))])
        mean, asked = self.accelerator.reduce(told, reduction="mean").tolist()
        if not math.isfinite(mean):
            raise IGRError(
                f"The loss of step {self.step + 1} is {mean}: lower the learning rate or use precision `no`; "
                f"the last good checkpoint in {self.run.checkpoints} is whole."
            )
        if asked > 0:
            self.stopped_by = stop.received or int(signal.SIGTERM)
        return mean

    def run_steps(self, validator: Validator | None) -> None:
        """Train to config.steps, logging, checkpointing and validating on the way.

        Ctrl-C and SIGTERM end it after a whole step, which is saved; `stopped_by` then names the signal.
        Raises IGRError on a loss that is not finite; the last checkpoint stays as it was.
        """
        self.model.train()
        self.stopped_by = 0
        batches = self._batches()
        main = self.accelerator.is_main_process
        with (
            StopRequest() as stop,
            tqdm(total=self.config.steps, initial=self.step, unit="step", disable=not main) as bar,
        ):
            while self.step < self.config.steps and not self.stopped_by:
                loss, norm = self._optimizer_step(batches, stop)
                self.average.update()
                self.step += 1
                bar.update()
                bar.set_postfix(loss=f"{loss:.4f}")
                if main:
                    self.recent.append(loss)
                    self._after_step(norm, validator)

    def _after_step(self, norm: float, validator: Validator | None) -> None:
        config = self.config
        if self.step % config.log_every == 0:
            rate = self.learning_rate_share() * config.optimizer.learning_rate
            loss = sum(self.recent) / len(self.recent)
            self.run.log(self.step, {"loss": loss, "gradient_norm": norm, "learning_rate": rate})
            self.recent.clear()
        last = self.step == config.steps
        if last or self.stopped_by or self.step % config.checkpoint_every == 0:
            self.save()
        if validator is not None and (last or self.step % config.validate_every == 0):
            self._validate(validator)

    def _validate(self, validator: Validator) -> None:
        """Show the averaged weights; the live ones are put back whatever happens."""
        self.average.swap()
        try:
            self.bare.eval()
            self.run.log(self.step, validator.losses(self.bare, self.scheduler, self.accelerator.autocast))
            validator.grid(self.bare, self.step)
        finally:
            self.bare.train()
            self.average.swap()


def model_summary(config: ModelConfig, model: IGR) -> str:
    """One line on what is trained."""
    trained = parameter_count(p for p in model.parameters() if p.requires_grad)
    width, height = config.native_size
    return f"{trained / 1e6:.1f} M trained parameters, {width}x{height} pixels, view {config.view.mode}"


@one_sentence()
def main(
    config: Annotated[Path, typer.Argument(help="YAML file of a TrainConfig (training/configs).")],
    run: Annotated[Path, typer.Option(help="Run folder; a run that was interrupted goes on where it was.")],
) -> None:
    """Train GarmNet, denoiser and image prompt together; VAE and image encoder stay frozen."""
    settings = load_config(TrainConfig, config)
    folder = RunFolder(run)
    validator = Validator(settings, folder.path) if settings.validate_every else None
    trainer = Trainer(settings, folder)
    if trainer.accelerator.is_main_process:
        note_start(folder.path, trainer.step, command_line())
        if settings.init_bundle is not None and trainer.step == 0:
            note_parent(folder.path, Bundle.open(settings.init_bundle))
        write_text(folder.path / "config.json", json.dumps(to_json(settings), indent=2) + "\n")
        typer.echo(f"{model_summary(trainer.bare.config, trainer.bare)}; starting at step {trainer.step}")
    try:
        trainer.run_steps(validator)
    finally:
        folder.close()
    if trainer.step < settings.steps:
        typer.echo(f"interrupted; saved step {trainer.step}, the same command goes on from there", err=True)
        raise typer.Exit(128 + trainer.stopped_by)


if __name__ == "__main__":
    typer.run(main)
