"""Settings in a launcher's environment, which the config overrides."""

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
"""Variables that accelerate may read, for the placement and the logs of processes."""

_ENGINES = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
    "ACCELERATE_USE_SAGEMAKER": "SageMaker",
}
"""Engines that the trainer does not support, by the variable that selects them."""

_PREFIXES = ("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "XLA_USE_BF16", "XLA_DOWNCAST_BF16")


def take_over(config: TrainConfig, environment: MutableMapping[str, str] | None = None) -> None:
    """Remove settings that would override the config from the environment, with a warning that names both values.

    Raises IGRError for an engine that the trainer does not support (FSDP, Megatron-LM).
    """
    found = os.environ if environment is None else environment
    for name, engine in _ENGINES.items():
        if found.get(name, "").lower() in ("1", "true", "yes"):
            raise IGRError(
                f"The launcher selects {engine} ({name}={found[name]}), but the config has sharding: "
                f"{config.sharding}. Remove {engine} from the launcher's file; use sharding `none` or `zero2`."
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
            logger.warning("Ignoring %s=%s from the launcher: the config has %s: %s.", name, value, entry, wanted)


_MEANT = {
    "ACCELERATE_MIXED_PRECISION": ("no", "none", ""),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "none", ""),
    "ACCELERATE_GRADIENT_CLIPPING": ("none", ""),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "none", ""),
    "ACCELERATE_USE_DEEPSPEED": ("false", "none", ""),
    "ACCELERATE_DEEPSPEED_CONFIG_FILE": ("none", ""),
    "ACCELERATE_DEEPSPEED_ZERO_STAGE": ("none", ""),
}
"""Values that accelerate launch sets by default."""
