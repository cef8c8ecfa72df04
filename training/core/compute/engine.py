"""The engine of a training step: one process, several that share the batch (DDP), or DeepSpeed ZeRO-2 (section 4.1)."""

from __future__ import annotations

import logging
import os
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DeepSpeedPlugin, DistributedDataParallelKwargs, InitProcessGroupKwargs
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.model.igr import IGR
from igr_core.processes import launched_processes

from ...base.optimisation.optimizers import peaks_kept
from ...base.train_config import TrainConfig
from .acceleration import accelerate, accelerate_optimizer, choose_acceleration
from .launcher import take_over

logger = logging.getLogger(__name__)

_PEER_LOST = ("Connection closed by peer", "Connection reset", "Broken pipe", "NCCL", "ProcessGroup", "Socket")
"""Parts of the errors that torch and DeepSpeed raise when another process of the run has died."""


class Engine:
    """Networks and optimiser, prepared for the launcher's processes."""

    def __init__(self, config: TrainConfig, model: IGR, optimizer: torch.optim.Optimizer) -> None:
        """Move the model to its device.

        Raises IGRError if ZeRO-2 or the launcher's engine is not available, or if its processes cannot share the run.
        """
        self.config = config
        self.bare = model
        take_over(config)
        zero2 = wants_zero2(config)
        self.accelerator = _zero2_accelerator(config) if zero2 else _accelerator(config)
        _check_joined(self.accelerator)
        self.acceleration = choose_acceleration(config, self.accelerator.device, zero2)
        accelerate(model, self.acceleration)
        accelerate_optimizer(optimizer, self.acceleration)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.sharded = type(self.model).__name__ == "DeepSpeedEngine"
        # ZeRO-2 reduces gradients in the order of their arrival, so this order must be the same in every process
        model.every_branch = self.sharded

    @property
    def device(self) -> torch.device:
        """Device of this process."""
        return self.accelerator.device

    def autocast(self) -> torch.autocast:
        """The run's mixed precision; weights stay in float32 under every engine."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.acceleration.precision == "bf16")

    def describe(self) -> str:
        """Describe the processes and the engine in use."""
        count, how = self.accelerator.num_processes, self.acceleration.describe()
        if self.sharded:
            stage = self.model.zero_optimization_stage()
            return f"{_processes(count)}, DeepSpeed ZeRO-{stage} on {self.device.type}: {how}"
        wrapper = "" if isinstance(self.model, IGR) else f", {type(self.model).__name__}"
        return f"{_processes(count)}{wrapper} on {self.device.type}: {how}"

    def step(self, loss: Tensor) -> float | None:
        """Accumulate the loss's gradients; once they are complete, take the step and return their norm, otherwise None.

        If the norm is not finite, the step is skipped, except by DeepSpeed, and the norm is still returned.

        Call this inside `accelerator.accumulate`.
        """
        self.accelerator.backward(loss)  # DeepSpeed clips and steps in this call
        if not self.accelerator.sync_gradients:
            return None
        if self.sharded:
            norm = self.model.get_global_grad_norm()
        else:
            norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
            if norm is not None and not torch.isfinite(norm):
                return float(norm)  # skip the step
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(norm) if norm is not None else None

    def optimizer_state(self) -> dict[str, Any]:
        """Optimiser state for a checkpoint: all of it or, with ZeRO-2, this process's part."""
        if not self.sharded:
            return self.optimizer.state_dict()
        return self.optimizer.optimizer.optimizer.state_dict()

    def load(self, model: dict[str, Tensor], optimizer: dict[str, Any]) -> None:
        """Restore weights and optimiser from a checkpoint; the peak learning rates of the config are kept."""
        self.bare.load_state_dict(model)
        with peaks_kept(self.optimizer):
            if not self.sharded:
                self.optimizer.load_state_dict(optimizer)
                return
            sharded = self.optimizer.optimizer
            sharded.optimizer.load_state_dict(optimizer)
            sharded.refresh_fp32_params()


def wants_zero2(config: TrainConfig) -> bool:
    """Whether to use ZeRO-2: true if the config selects it and a launcher is used (one process has nothing to
    shard)."""
    if config.sharding != "zero2":
        return False
    if launched_processes().launched:
        return True
    logger.warning("sharding: zero2 needs torchrun or accelerate launch; a single process runs without it.")
    return False


def peer_lost(error: BaseException) -> bool:
    """Whether an error from torch.distributed means that another process of the run has died."""
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _PEER_LOST)


def _accelerator(config: TrainConfig) -> Accelerator:
    return Accelerator(
        mixed_precision="no",  # the engine handles autocast itself
        cpu=launched_processes().launched and not _has_gpu(),  # otherwise accelerate does not join processes on CPUs
        gradient_accumulation_steps=config.accumulation,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def _has_gpu() -> bool:
    return torch.cuda.is_available() or (hasattr(torch, "xpu") and torch.xpu.is_available())


def _check_joined(accelerator: Accelerator) -> None:
    """Raise IGRError if the launcher's processes would train independently but write to the same run folder."""
    count = launched_processes().count
    if accelerator.num_processes != count:
        raise IGRError(
            f"The launcher started {count} processes, which cannot share a run on {accelerator.device.type}: start one "
            "process, or use CPUs with ACCELERATE_USE_CPU=true."
        )


def _zero2_accelerator(config: TrainConfig) -> Accelerator:
    """An Accelerator with DeepSpeed, on GPUs or, with gloo, on CPUs, where accelerate would otherwise fall back to
    DDP."""
    if config.optimizer.name == "muon":
        raise IGRError("sharding: zero2 splits matrices into flat pieces, which Muon does not support: choose adamw.")
    os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
    handlers = []
    if not torch.cuda.is_available():
        os.environ["DS_ACCELERATOR"] = "cpu"
        os.environ.pop("ACCELERATE_USE_CPU", None)
        handlers.append(InitProcessGroupKwargs(backend="gloo"))
    try:
        import deepspeed  # noqa: F401 - the plugin's own error does not name a remedy
    except ImportError as error:
        raise IGRError(
            "sharding: zero2 needs DeepSpeed: run `pip install deepspeed`, or set sharding: none."
        ) from error
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    plugin = DeepSpeedPlugin(hf_ds_config=deepspeed_config(config))
    return Accelerator(mixed_precision="no", deepspeed_plugin=plugin, kwargs_handlers=handlers)


def deepspeed_config(config: TrainConfig) -> dict[str, Any]:
    """DeepSpeed's settings for a run; autocast sets the precision, so that the weights stay in float32."""
    return {
        "train_micro_batch_size_per_gpu": config.data.pairs_per_batch,
        "gradient_accumulation_steps": config.accumulation,
        "gradient_clipping": config.optimizer.clip,
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {"stage": 2, "overlap_comm": torch.cuda.is_available(), "round_robin_gradients": False},
        "steps_per_print": 1_000_000_000,
    }


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"
