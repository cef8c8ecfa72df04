"""The loss of a trainer's next step, without taking the step."""

from __future__ import annotations

from torch import Tensor

from training.core.trainer import Trainer


def first_loss(trainer: Trainer) -> Tensor:
    """The loss of the first part of the trainer's next step, with gradients."""
    part, batch = next(trainer._batches())
    rows = trainer.losses.draw(part, batch, trainer.step)
    visible = trainer.losses.visible([(rows, batch)])
    return trainer.losses(trainer.engine.model, trainer.engine.autocast, rows, batch, visible)[0]
