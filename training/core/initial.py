"""The networks before the first step."""

from __future__ import annotations

import torch

from igr_core.model.bundle import Bundle
from igr_core.model.igr import IGR

from ..base.randomness import seed_everything
from ..base.train_config import TrainConfig
from ..prepared.fits import model_config


def initial_model(config: TrainConfig) -> IGR:
    """The networks before the first step: from config.init_bundle, else random by config.seed."""
    if config.init_bundle is not None:
        model = IGR.from_bundle(Bundle.open(config.init_bundle)).float()
        model.config = model_config(config)
        for part in ("garmnet", "image_prompt"):
            if getattr(model.config, part) is None:
                setattr(model, part, None)
        return model
    seed_everything(config.seed)
    model = IGR(config.model)
    for prompt in model.prompts.values():
        prompt.data.normal_()
    if config.key_from_query:
        start_keys_as_queries(model)
    return model


@torch.no_grad()
def start_keys_as_queries(model: IGR) -> None:
    """W_k = W_q in every self-attention, so that equal positions attend to each other from the start."""
    for net in (model.denoiser, model.garmnet):
        for name, module in net.named_modules() if net is not None else ():
            if name.endswith("attn1"):
                module.to_k.weight.copy_(module.to_q.weight)  # type: ignore[union-attr, operator]
