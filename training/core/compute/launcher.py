"""What a launcher's environment says of a run, beside the processes that it starts: the config has the last word."""

from __future__ import annotations

import logging
import os
from collections.abc import MutableMapping

from igr_core.errors import IGRError

from ...base.train_config import TrainConfig

logger = logging.getLogger(__name__)

_PLACES = (
    "ACCELERATE_USE_CPU",
    "ACCELERATE_TORCH_DEVICE",
    "ACCELERATE_CPU_AFFINITY",
    "ACCELERATE_DEBUG_MODE",
    "ACCELERATE_BYPASS_DEVICE_MAP",
)
"""What accelerate may be told: where processes run and what they report."""

_ENGINES = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
    "ACCELERATE_USE_SAGEMAKER": "SageMaker",
}
"""Engines that the trainer does not have, by the variable that asks for them."""

_PREFIXES = ("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "XLA_USE_BF16", "XLA_DOWNCAST_BF16")


def take_over(config: TrainConfig, environment: MutableMapping[str, str] | None = None) -> None:
    """Remove from the environment what would overrule the config, with a warning that names both values.

    Raises IGRError for an engine that the trainer does not have (FSDP, Megatron-LM).
    """
    found = os.environ if environment is None else environment
    for name, engine in _ENGINES.items():
        if found.get(name, "").lower() in ("1", "true", "yes"):
            raise IGRError(
                f"The launcher asks for {engine} ({name}={found[name]}) and the config says sharding: "
                f"{config.sharding}: take it out of the launcher's file; the trainer has `none` and `zero2`."
            )
    ours = {
        "ACCELERATE_MIXED_PRECISION": ("precision", config.precision),
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("accumulation", str(config.accumulation)),
        "ACCELERATE_GRADIENT_CLIPPING": ("optimizer.clip", str(config.optimizer.clip)),
        "ACCELERATE_DYNAMO_BACKEND": ("compile", str(config.compile).lower()),
        "ACCELERATE_USE_DEEPSPEED": ("sharding", config.sharding),
        "ACCELERATE_DEEPSPEED_CONFIG_FILE": ("sharding", config.sharding),
        "ACCELERATE_DEEPSPEED_ZERO_STAGE": ("sharding", config.sharding),
    }
    for name in [one for one in found if one.startswith(_PREFIXES) and one not in _PLACES]:
        value = found.pop(name)
        entry, wanted = ours.get(name, ("", ""))
        if entry and value.lower() not in _MEANT.get(name, ("",)) and value.lower() != wanted:
            logger.warning("The launcher says %s=%s; the config's %s: %s counts.", name, value, entry, wanted)


_MEANT = {
    "ACCELERATE_MIXED_PRECISION": ("no", "none", ""),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "none", ""),
    "ACCELERATE_GRADIENT_CLIPPING": ("none", ""),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "none", ""),
    "ACCELERATE_USE_DEEPSPEED": ("false", "none", ""),
    "ACCELERATE_DEEPSPEED_CONFIG_FILE": ("none", ""),
    "ACCELERATE_DEEPSPEED_ZERO_STAGE": ("none", ""),
}
"""Values that accelerate launch sets where the user chose nothing."""
