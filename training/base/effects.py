"""Find settings of a config that have no effect on the run."""

from __future__ import annotations

from collections.abc import Iterator

from .train_config import TrainConfig


def without_effect(config: TrainConfig) -> Iterator[str]:
    """Yield a sentence for each setting that the run never reaches or that another setting disables."""
    options, low, steps = config.optimizer, config.low_resolution, config.steps
    decays = options.schedule == "decay"
    if low is not None and low.steps >= steps:
        yield f"low_resolution.steps ({low.steps}) leaves none of the {steps} steps for the model's own size"
    if options.warmup_steps > steps:
        yield f"optimizer.warmup_steps ({options.warmup_steps}) does not end within the {steps} steps of the run"
    if options.decay_steps and not decays:
        yield f"optimizer.decay_steps has no effect with the schedule {options.schedule}"
    if decays and not options.decay_steps:
        yield "the schedule decay has no effect while optimizer.decay_steps is 0"
    if options.muon_learning_rate is not None and options.name != "muon":
        yield f"optimizer.muon_learning_rate has no effect with the optimiser {options.name}"
