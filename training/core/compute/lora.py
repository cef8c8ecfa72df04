"""Low-rank adapters for the denoiser (peft), added before training and merged into its weights for export."""

from __future__ import annotations

from torch import nn

from igr_core.errors import IGRError
from igr_core.model.igr import IGR

from ...base.train_config import LoraConfig

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""The projections in every attention layer of the denoiser."""


def add_lora(model: IGR, config: LoraConfig) -> None:
    """Freeze the denoiser, and add adapters to its attention that initially have no effect.

    Raises IGRError if peft is not installed.
    """
    try:
        from peft import LoraConfig as PeftConfig
        from peft import inject_adapter_in_model
    except ImportError as error:
        raise IGRError("lora needs peft: run `pip install peft`, or remove `lora` from the config.") from error
    model.denoiser.requires_grad_(False)
    inject_adapter_in_model(
        PeftConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(TARGETS)),  # type: ignore[arg-type]
        model.denoiser,
    )


def merge_lora(model: IGR) -> None:
    """Merge any adapters into the weights, and restore the denoiser's parameter names."""
    try:
        from peft.tuners.lora import LoraLayer
    except ImportError:  # add_lora needs peft, so there are no adapters
        return

    found = [(name, module) for name, module in model.denoiser.named_modules() if isinstance(module, LoraLayer)]
    for name, module in found:
        module.merge()
        _put(model.denoiser, name, module.get_base_layer())


def _put(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(root.get_submodule(parent), last, module)
