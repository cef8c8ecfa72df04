"""igr-small's recipe from random weights and its ablations: their models, their differences, and merging with bases."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import ImagePromptConfig
from igr_core.model.igr import IGR
from training.base.config_files import load_config
from training.base.train_config import TrainConfig

CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.mark.parametrize(
    "name",
    [
        "small/from_scratch/model",
        "small/from_scratch/model_further",
        *(f"ablation_{one}" for one in ("full", "no_garmnet", "no_image_prompt")),
    ],
)
def test_shipped_configs_build_their_model(name: str) -> None:
    config = load_config(TrainConfig, CONFIGS / f"{name}.yaml")
    with torch.device("meta"):
        model = IGR(config.model)
    assert (model.garmnet is None, model.image_prompt is None) == (name.endswith("garmnet"), name.endswith("prompt"))


def test_ablations_differ_from_the_recipe_in_what_their_names_say() -> None:
    recipe, full, no_garmnet, no_image_prompt = (
        load_config(TrainConfig, CONFIGS / f"{name}.yaml")
        for name in ("small/from_scratch/model", "ablation_full", "ablation_no_garmnet", "ablation_no_image_prompt")
    )
    assert full.steps < recipe.steps
    optimizer = dataclasses.replace(full.optimizer, decay_steps=recipe.optimizer.decay_steps)
    drop = dataclasses.replace(full.drop, start_steps=recipe.drop.start_steps)
    again = dataclasses.replace(
        full, steps=recipe.steps, validate_every=recipe.validate_every, optimizer=optimizer, drop=drop
    )
    assert again == recipe
    assert (
        dataclasses.replace(no_garmnet, model=full.model)
        == full
        == dataclasses.replace(no_image_prompt, model=full.model)
    )
    assert dataclasses.replace(no_garmnet.model, garmnet=full.model.garmnet) == full.model
    assert dataclasses.replace(no_image_prompt.model, image_prompt=full.model.image_prompt) == full.model


def test_base_configs_merge_deeply_and_loops_are_named(tmp_path: Path) -> None:
    text = {
        "base": "data: {train: [a, b], validation: v, vae: w, image_encoder: i}\nsteps: 5\n",
        "middle": "base: base.yaml\nsteps: 6\ndata: {train: [c]}\n",
        "top": "base: middle.yaml\nmodel: {image_prompt: {tokens: 2}}\n",
        "loop": "base: loop.yaml\n",
        "number": "base: 3\n",
    }
    for name, content in text.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    config = load_config(TrainConfig, tmp_path / "top.yaml")
    assert (config.steps, config.data.train, config.data.validation) == (6, ("c",), "v")
    assert config.model.image_prompt == ImagePromptConfig(tokens=2)
    for name, words in (("loop", "based on itself"), ("number", "name of a file")):
        with pytest.raises(IGRError, match=words):
            load_config(TrainConfig, tmp_path / f"{name}.yaml")
