"""The loss of a training step: Eq. 1 and the config's extra terms, regardless of how the step is divided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from igr_core.model.garmfus import Noted
from igr_core.model.igr import IGR

from ...base.run.randomness import step_generator
from ...base.train_config import TrainConfig
from ...prepared.latents import Batch
from .correspondence import CorrespondenceLoss, places_logged
from .extra import ExtraLosses
from .objective import Rows, draw_rows, drop_at, predict, predict_watched, row_loss

TERMS = ("loss", "extra_losses", "correspondence", "hits", "cells")
"""Values per step: Eq. 1, weighted extra losses, correspondence loss, and the hits and cells of its heads."""


class StepLosses:
    """The terms of a step's loss, computed part by part; each term is the sum over the parts."""

    def __init__(
        self, config: TrainConfig, model: IGR, scheduler: DDIMScheduler, device: torch.device, processes: int = 1
    ) -> None:
        """Load the networks that the terms need; raises IGRError for weights or attention heads that do not exist."""
        self.config, self.scheduler, self.device = config, scheduler, device
        self.parts = processes * config.accumulation
        """Number of parts that a step is divided into."""
        self.extra = ExtraLosses.of(config, scheduler, device)
        self.correspondence = None
        if config.correspondence_weight > 0:
            self.correspondence = CorrespondenceLoss(config.correspondence_heads, model)

    def draw(self, part: int, batch: Batch, step: int) -> Rows:
        """Draw the rows of one part of a step, on the CPU."""
        config = self.config
        return draw_rows(
            batch,
            self.scheduler,
            drop_at(config.drop, step),
            step_generator(config.seed * 1_000, step),
            config.data.draws_per_pair,
            config.min_snr_gamma,
            part=(part, self.parts),
        )

    def visible(self, drawn: Sequence[tuple[Rows, Batch]]) -> Tensor | None:
        """Number of cells, per block, that the correspondence loss uses in some parts; None without this loss."""
        if self.correspondence is None:
            return None
        draws = self.config.data.draws_per_pair
        counts = [self.correspondence.visible(rows.reference_rows, batch, draws) for rows, batch in drawn]
        return torch.stack(counts).sum(0).to(self.device)

    def __call__(
        self,
        model: nn.Module,
        autocast: Callable[[], AbstractContextManager[None]],
        rows: Rows,
        batch: Batch,
        visible: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """A part's contribution to the loss and, without gradients, to TERMS (5,); `visible` is for the whole step."""
        rows = rows.to(self.device, non_blocking=True)
        batch = batch.to(self.device, non_blocking=True)
        notes: dict[str, list[Noted]] = {}
        with autocast():
            if self.correspondence is not None:
                predicted, notes = predict_watched(model, rows, batch, self.correspondence.blocks)
            else:
                predicted = predict(model, rows, batch)
        loss = row_loss(predicted, rows).mean() / self.parts
        zero = torch.zeros_like(loss)
        extra = zero if self.extra is None else self.extra(predicted, rows, batch)
        places, hits, cells = zero, zero, zero
        if self.correspondence is not None:
            found = self.correspondence(notes, batch, self.config.data.draws_per_pair, visible)
            places, hits, cells = found.loss, found.hits, found.cells
        terms = torch.stack([one.detach().float() for one in (loss, extra, places, hits, cells)])
        return loss + extra + self.config.correspondence_weight * places, terms

    def logged(self, steps: Sequence[Sequence[float]]) -> dict[str, float]:
        """Values to log for the TERMS of some steps; `loss` is Eq. 1 alone."""
        columns = dict(zip(TERMS, zip(*steps, strict=True), strict=True))
        means = {name: sum(column) / len(column) for name, column in columns.items()}
        values = {"loss": means["loss"]}
        weight = self.config.correspondence_weight
        if self.extra is not None:
            values["extra_losses"] = means["extra_losses"]
        if self.extra is not None or self.correspondence is not None:
            values["total_loss"] = means["loss"] + means["extra_losses"] + weight * means["correspondence"]
        return values | places_logged([step[2:] for step in steps], "correspondence")
