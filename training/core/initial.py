"""Create the networks before the first step."""

from __future__ import annotations

import psutil
import torch

from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle
from igr_core.model.igr import IGR
from igr_core.model.weights_needed import weights_needed

from ..base.run.randomness import seed_everything
from ..base.train_config import TrainConfig
from ..prepared.fits import model_config


def initial_model(config: TrainConfig) -> IGR:
    """The networks before the first step: from config.init_bundle if it is set, otherwise random from config.seed."""
    if config.init_bundle is not None:
        model = IGR.from_bundle(Bundle.open(config.init_bundle)).float()
        model.config = model_config(config)
        for part in ("garmnet", "image_prompt"):
            if getattr(model.config, part) is None:
                setattr(model, part, None)
        return model
    _check_memory(config)
    seed_everything(config.seed)
    model = IGR(config.model)
    for prompt in model.prompts.values():
        prompt.data.normal_()
    if config.key_from_query:
        start_keys_as_queries(model)
    return model


def _check_memory(config: TrainConfig) -> None:
    """Raise IGRError if the float32 weights alone are larger than this machine's memory."""
    needed = weights_needed(config.model)
    size = 4 * sum(needed[part] for part in ("denoiser", "garmnet", "image_prompt") if part in needed)
    memory = psutil.virtual_memory().total
    if size > memory:
        raise IGRError(
            f"The networks in `model` need at least {size / 1e9:,.0f} GB, but this machine has {memory / 1e9:,.0f} GB: "
            "lower block_out_channels or layers_per_block."
        )


@torch.no_grad()
def start_keys_as_queries(model: IGR) -> None:
    """Set W_k = W_q in every self-attention, so that equal positions attend to each other from the start."""
    for net in (model.denoiser, model.garmnet):
        for name, module in net.named_modules() if net is not None else ():
            if name.endswith("attn1"):
                module.to_k.weight.copy_(module.to_q.weight)  # type: ignore[union-attr, operator]
