"""Make the config override the settings in a launcher's environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, MutableMapping

import torch

from igr_core.device import choose_device
from igr_core.errors import IGRError, UsageError
from igr_core.text import one_line

from ...base.train_config import TrainConfig

logger = logging.getLogger(__name__)

_PLACES = (
    "ACCELERATE_USE_CPU",
    "ACCELERATE_TORCH_DEVICE",
    "ACCELERATE_CPU_AFFINITY",
    "ACCELERATE_DEBUG_MODE",
    "ACCELERATE_BYPASS_DEVICE_MAP",
)
"""Variables that accelerate may still read, for placing and logging processes."""
_YES_OR_NO = ("1", "true", "yes", "y", "t", "on", "0", "false", "no", "n", "f", "off")

_ENGINES = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
    "ACCELERATE_USE_SAGEMAKER": "SageMaker",
}
"""Engines that the trainer does not support, by the variable that selects each."""

_PREFIXES = ("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "XLA_USE_BF16", "XLA_DOWNCAST_BF16")


def take_over(config: TrainConfig, environment: MutableMapping[str, str] | None = None) -> None:
    """Remove settings from the environment that would override the config, with a warning that names both values.

    Raises IGRError for an engine that the trainer does not support (FSDP, Megatron-LM), and for a device or switch
    that accelerate could not use.
    """
    found = os.environ if environment is None else environment
    _check_places(found)
    for name, engine in _ENGINES.items():
        if found.get(name, "").lower() in ("1", "true", "yes"):
            raise IGRError(
                f"The launcher selects {engine} ({name}={found[name]}), but the config has sharding: "
                f"{config.sharding}. Remove {engine} from the launcher's file, and use sharding `none` or `zero2`."
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
            shown = one_line(f"{name}={value}")
            logger.warning("Ignoring %s from the launcher: the config has %s: %s.", shown, entry, wanted)


def _check_places(found: Mapping[str, str]) -> None:
    for name in [one for one in _PLACES if one in found]:
        value = found[name]
        if name == "ACCELERATE_TORCH_DEVICE":
            try:
                choose_device(str(torch.device(value)))
            except (UsageError, RuntimeError) as error:
                raise IGRError(f"{name}={value} does not name a usable device: unset it, or set it to cpu.") from error
        elif value.lower() not in _YES_OR_NO:
            raise IGRError(f"{name} is {value!r} in the environment: set it to true or false, or unset it.")


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
