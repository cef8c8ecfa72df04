"""Speed of a run: rows per second, and the GPU's model FLOP utilisation (MFU)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from igr_core.model.config import ModelConfig

from ...base.train_config import TrainConfig
from .cards import card_named
from .estimate import estimate


class Throughput:
    """A clock that runs during steps, but not during validation and checkpoints."""

    def __init__(self, config: TrainConfig, model: ModelConfig, processes: int, device: torch.device) -> None:
        """Set up the clock for steps that `processes` processes share. On a known GPU, a step's operations are counted
        once, without running it."""
        self._rows = config.data.pairs_per_batch * config.data.draws_per_pair * config.accumulation * processes
        self._share_of_peak = 0.0
        card = card_named(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
        if card is not None:
            useful = estimate(replace(config, gradient_checkpointing=False), model, processes)
            self._share_of_peak = useful.teraflops * config.accumulation / card.peak
        self._steps = 0
        self._seconds = 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time one step, which must end with a synchronisation."""
        start = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - start
        self._steps += 1

    def logged(self) -> dict[str, float]:
        """Metrics of the steps since the last call, with MFU if the GPU is known."""
        if not self._steps:
            return {}
        each = self._seconds / self._steps
        self._steps, self._seconds = 0, 0.0
        values = {"speed/rows_per_second": self._rows / each}
        if self._share_of_peak:
            values["speed/mfu"] = self._share_of_peak / each
        return values
