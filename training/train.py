"""Train IGR: `python -m training.train CONFIG.yaml --run DIR`. One trainer for the demo and for full scale."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from tqdm import tqdm

from igr_core.bundle import Bundle
from igr_core.config import ModelConfig, to_json
from igr_core.errors import IGRError
from igr_core.model import IGR
from igr_core.networks import build_scheduler

from .config import TrainConfig
from .data.latents import Batch, PreparedPairs, batch_indices
from .objective import draw_rows, drop_at, predict, row_loss
from .optimizers import Optimizer
from .provenance import note_revision
from .run import (
    Average,
    RunFolder,
    cosine_rate,
    load_config,
    load_latest,
    parameter_count,
    save_checkpoint,
    seed_everything,
    step_generator,
    write_text,
)
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
        self.config = config
        self.run = run
        self.accelerator = Accelerator(
            mixed_precision=config.precision,
            gradient_accumulation_steps=config.accumulation,
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self.data = PreparedPairs(config.data.train, config.data.limit)
        model = initial_model(config)
        if config.gradient_checkpointing:
            for net in (model.denoiser, model.garmnet):
                if net is not None:
                    net.enable_gradient_checkpointing()
        self.scheduler = build_scheduler(model.config.noise)
        self.model = self.accelerator.prepare(model)
        self.bare: IGR = self.accelerator.unwrap_model(self.model)
        self.average = Average(self.bare, config.ema_decay)
        self.optimizer = Optimizer(
            self.bare.named_parameters(),
            config.optimizer.name,
            config.optimizer.learning_rate,
            config.optimizer.muon_learning_rate,
            config.optimizer.weight_decay,
            config.optimizer.betas,
        )
        self.step = self._resume()

    def _resume(self) -> int:
        checkpoint = load_latest(self.run)
        if checkpoint is None:
            return 0
        wanted, found = to_json(self.bare.config), checkpoint.state["model_config"]
        if json.loads(json.dumps(wanted)) != json.loads(found):
            raise IGRError(f"{self.run.path} was trained with another model config: choose another --run folder.")
        self.bare.load_state_dict(checkpoint.state["model"])
        self.optimizer.load_state_dict(checkpoint.state["optimizer"])
        self.average.load_state_dict(checkpoint.state["average"])
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
        optimizer = self.config.optimizer
        if optimizer.schedule == "cosine":
            return cosine_rate(self.step, self.config.steps, optimizer.warmup_steps)
        share = min(1.0, (self.step + 1) / max(1, optimizer.warmup_steps))
        if optimizer.schedule == "decay":
            share *= min(1.0, (self.config.steps - self.step) / max(1, optimizer.decay_steps))
        return share

    def _micro_step(self, number: int, batch: Batch) -> float:
        rank_seed = self.config.seed * 1_000 + self.accelerator.process_index
        rows = draw_rows(
            batch,
            self.scheduler,
            drop_at(self.config.drop, self.step),
            step_generator(rank_seed, number),
            self.config.data.draws_per_pair,
            self.config.min_snr_gamma,
        )
        rows, batch = (_to(x, self.accelerator.device) for x in (rows, batch))
        with self.accelerator.autocast():
            predicted = predict(self.model, rows, batch)
        loss = row_loss(predicted, rows).mean()
        self.accelerator.backward(loss)
        return float(loss.detach())

    def run_steps(self, validator: Validator | None) -> None:
        """Train to config.steps, logging, checkpointing and validating on the way.

        Raises IGRError on a loss that is not finite; the last checkpoint stays as it was.
        """
        config = self.config
        self.model.train()
        batches = self._batches()
        recent: list[float] = []
        bar = tqdm(total=config.steps, initial=self.step, unit="step", disable=not self.accelerator.is_main_process)
        while self.step < config.steps:
            loss = 0.0
            for _ in range(config.accumulation):
                number, batch = next(batches)
                with self.accelerator.accumulate(self.model):
                    loss += self._micro_step(number, batch) / config.accumulation
            if not math.isfinite(loss):
                raise IGRError(
                    f"The loss of step {self.step + 1} is {loss}: lower the learning rate or use precision `no`; "
                    f"the last good checkpoint in {self.run.checkpoints} is whole."
                )
            norm = self.optimizer.step(self.learning_rate_share(), config.optimizer.clip)
            self.average.update()
            self.step += 1
            recent.append(loss)
            bar.update()
            bar.set_postfix(loss=f"{loss:.4f}")
            self._after_step(recent, norm, validator)
        bar.close()

    def _after_step(self, recent: list[float], norm: float, validator: Validator | None) -> None:
        config = self.config
        if not self.accelerator.is_main_process:
            return
        if self.step % config.log_every == 0:
            rate = self.learning_rate_share() * config.optimizer.learning_rate
            self.run.log(self.step, {"loss": sum(recent) / len(recent), "gradient_norm": norm, "learning_rate": rate})
            recent.clear()
        last = self.step == config.steps
        if last or self.step % config.checkpoint_every == 0:
            self.save()
        if validator is not None and (last or self.step % config.validate_every == 0):
            self.average.swap()
            self.bare.eval()
            try:
                self.run.log(self.step, validator.losses(self.bare, self.scheduler))
                validator.grid(self.bare, self.step)
            finally:
                self.bare.train()
                self.average.swap()


def _to(item: Any, device: torch.device) -> Any:
    """The dataclass with its tensors on a device."""
    moved = {name: x.to(device) if isinstance(x, torch.Tensor) else x for name, x in vars(item).items()}
    return type(item)(**moved)


def model_summary(config: ModelConfig, model: IGR) -> str:
    """One line on what is trained."""
    trained = parameter_count(p for p in model.parameters() if p.requires_grad)
    width, height = config.native_size
    return f"{trained / 1e6:.1f} M trained parameters, {width}x{height} pixels, view {config.view.mode}"


def main(
    config: Annotated[Path, typer.Argument(help="YAML file of a TrainConfig (training/configs).")],
    run: Annotated[Path, typer.Option(help="Run folder; a run that was interrupted goes on where it was.")],
) -> None:
    """Train GarmNet, denoiser and image prompt together; VAE and image encoder stay frozen."""
    try:
        settings = load_config(TrainConfig, config)
        folder = RunFolder(run)
        write_text(folder.path / "config.json", json.dumps(to_json(settings), indent=2) + "\n")
        validator = Validator(settings, folder.path) if settings.validate_every else None
        trainer = Trainer(settings, folder)
        note_revision(folder.path, trainer.step)
        typer.echo(f"{model_summary(trainer.bare.config, trainer.bare)}; starting at step {trainer.step}")
        try:
            trainer.run_steps(validator)
        except KeyboardInterrupt:
            trainer.save()
            typer.echo(f"interrupted; saved step {trainer.step}, the same command goes on from there", err=True)
            raise typer.Exit(130) from None
        finally:
            folder.close()
    except IGRError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
