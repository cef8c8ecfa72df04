"""Data, parts and config that do not match are rejected before the first step, and the included ones match."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.model.networks import build_vae
from tests.support.training.prepared import tiny_config, write_part, write_prepared
from training.base.config_files import load_config
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.core.trainer import Trainer
from training.core.validation import Validator
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import HELD_OUT_START
from training.prepared.fits import check_drawn, check_fits
from training.prepared.latents import PreparedPairs
from training.small_models.image_encoder import ImageEncoderTraining
from training.small_models.vae import VAETraining

CONFIGS = Path(__file__).parents[3] / "training" / "configs"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("data"))


def settings(config: TrainConfig, **changes: str) -> dict[str, object]:
    return PreparedPairs([config.data.validation]).settings[0] | changes


def refused(config: TrainConfig, folder: Path, words: str) -> None:
    """Check that both the trainer and the validator refuse a folder of pairs, with these words."""
    with pytest.raises(IGRError, match=f"training data .*{words}"):
        Trainer(replace(config, data=replace(config.data, train=(str(folder),))), RunFolder(folder / "run"))
    with pytest.raises(IGRError, match=f"validation data .*{words}"):
        Validator(replace(config, data=replace(config.data, validation=str(folder))), folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vae": "0" * 64}, "a different VAE"),
        ({"image_encoder": "0" * 64}, "a different image encoder"),
        ({"layout": "resampler"}, "a different image-prompt layout"),
    ],
)
def test_data_of_another_part_is_refused(
    config: TrainConfig, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    refused(config, write_prepared(tmp_path / "a", 4, settings=settings(config, **change)), words)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"image_features": (24,)}, "image features of shape"),
        ({"image_features": (5, 16)}, "image features of shape"),
        (
            {"garment_latent": (4, 16, 12), "person_latent": (4, 16, 12), "mask": (1, 16, 12)},
            "different latent shape",
        ),
        ({"garment_latent": (8, 8, 6), "person_latent": (8, 8, 6)}, "different latent shape"),
    ],
)
def test_data_of_another_width_or_size_is_refused(
    config: TrainConfig, tmp_path: Path, shapes: dict[str, tuple[int, ...]], words: str
) -> None:
    refused(config, write_prepared(tmp_path / "a", 4, settings=settings(config), **shapes), words)


def test_held_out_seeds_are_never_trained_on(config: TrainConfig, tmp_path: Path) -> None:
    folder = write_prepared(tmp_path / "a", 4, settings=settings(config))
    (shard,) = folder.iterdir()
    tensors = load_file(shard)
    tensors["seed"] = tensors["seed"] + HELD_OUT_START - 1
    path = folder / "latents-000000000-4.safetensors"
    save_file(tensors, path, metadata={"settings": json.dumps(settings(config))})
    other = replace(config, data=replace(config.data, train=(str(folder),)))
    with pytest.raises(IGRError, match=f"has seed {HELD_OUT_START}, .*held out"):
        Trainer(other, RunFolder(tmp_path / "run"))
    check_fits(config, PreparedPairs([folder], limit=1), "training")
    check_fits(config, PreparedPairs([folder]), "validation")


def test_a_vae_of_another_shape_than_the_models_is_refused(config: TrainConfig, tmp_path: Path) -> None:
    shape = replace(config.model.vae, layers_per_block=2)
    torch.manual_seed(0)
    path = write_part(tmp_path / "vae.safetensors", "vae", build_vae(shape), shape)
    with pytest.raises(IGRError, match=r"does not match model\.vae"):
        Trainer(replace(config, data=replace(config.data, vae=str(path))), RunFolder(tmp_path / "run"))


def test_the_ablation_without_an_image_prompt_needs_no_encoder(config: TrainConfig, tmp_path: Path) -> None:
    folder = write_prepared(tmp_path / "a", 4, settings=settings(config, layout="resampler"))
    ablated = replace(config, model=replace(config.model, image_prompt=None))
    check_fits(ablated, PreparedPairs([folder]), "training")


@pytest.mark.parametrize(
    "name", ["small/from_scratch/model", "ablation_full", "ablation_no_garmnet", "ablation_no_image_prompt"]
)
def test_shipped_configs_agree(name: str) -> None:
    """The model, its two parts and the drawing defaults agree."""
    config = load_config(TrainConfig, CONFIGS / f"{name}.yaml")
    vae = load_config(VAETraining, CONFIGS / "small" / "from_scratch" / "vae.yaml")
    encoder = load_config(ImageEncoderTraining, CONFIGS / "small" / "from_scratch" / "image_encoder.yaml")
    assert replace(config.model.vae, scaling_factor=vae.vae.scaling_factor) == vae.vae
    assert config.model.image_encoder == encoder.image_encoder
    check_drawn(config, DrawConfig())
    assert config.data.vae == f"{vae.run}/vae.safetensors"
    assert config.data.image_encoder == f"{encoder.run}/image_encoder.safetensors"
    prompt = config.model.image_prompt
    if prompt is not None:
        linear = prompt.layout == "linear"
        assert prompt.embedding_dim == getattr(encoder.image_encoder, "projection_dim" if linear else "hidden_size")


def test_drawn_pairs_of_another_view_are_refused() -> None:
    config = load_config(TrainConfig, CONFIGS / "small" / "from_scratch" / "model.yaml")
    with pytest.raises(IGRError, match="a different view"):
        check_drawn(config, DrawConfig(view=ViewConfig("whole")))
