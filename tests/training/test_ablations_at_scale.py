"""The config of every trained row in every table can start from published files and the initial bundle, and takes a
step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from igr_core.files import sha256
from igr_core.model.bundle import Bundle
from igr_core.model.config import ViewConfig
from tests.support.models.published_weights import write_published
from tests.support.training.prepared import write_prepared
from training.base.config_files import load_config
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.bundles.init import Sources, write_init
from training.bundles.unpack import unpack_part
from training.core.trainer import Trainer
from training.prepared.fits import model_config

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
TRAINED_BY = {
    "runs/coarse/bundle.safetensors": "coarse.yaml",
    "runs/hqft/bundle.safetensors": "hqft.yaml",
    "runs/no_garmnet/bundle.safetensors": "options/no_garmnet.yaml",
}
"""The config that trains a bundle at the paper's scale; igr-small's tables have configs/evidence and ablation_*."""


def rows() -> dict[str, str]:
    """Bundles of all rows of the published data sets' tables, by the table that names them."""
    found = {}
    for path in sorted((CONFIGS / "evaluation").glob("*.yaml")):
        for row in yaml.safe_load(path.read_text(encoding="utf-8")).get("rows", []):
            if "igr-small" not in row.get("bundle", "igr-small"):
                found.setdefault(row["bundle"], path.name)
    return found


def test_every_row_has_a_config() -> None:
    paper = {bundle: table for bundle, table in rows().items() if "/ablation_" not in bundle and "seed" not in bundle}
    assert set(paper) == set(TRAINED_BY), paper


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An init bundle of tiny published files, its parts, and pairs in their shapes."""
    folder = tmp_path_factory.mktemp("scale")
    weights = write_published(folder / "weights")
    sources = Sources(
        weights / "v1-5-pruned-emaonly.safetensors",
        weights / "ip-adapter_sd15.safetensors",
        weights / "image_encoder",
        weights / "tokenizer",
    )
    write_init(folder / "init.safetensors", sources, "test", (64, 64), ViewConfig("whole"), "fp32")
    bundle = Bundle.open(folder / "init.safetensors")
    for part in ("vae", "image_encoder"):
        unpack_part(bundle, part, folder)
    model = bundle.info.model
    assert model.image_prompt is not None
    side = 64 // model.vae.downscale
    vae, encoder = (folder / part / f"{part}.safetensors" for part in ("vae", "image_encoder"))
    settings = {"vae": sha256(vae), "image_encoder": sha256(encoder), "layout": model.image_prompt.layout}
    latent = (model.vae.latent_channels, side, side)
    write_prepared(
        folder / "train",
        4,
        settings=settings,
        garment_latent=latent,
        person_latent=latent,
        mask=(1, side, side),
        image_features=(model.image_prompt.embedding_dim,),
    )
    return folder


@pytest.mark.parametrize("name", sorted({*TRAINED_BY.values()}))
def test_it_starts_from_the_init_bundle_and_takes_a_step(name: str, place: Path, tmp_path: Path) -> None:
    shipped = load_config(TrainConfig, CONFIGS / name)
    data = replace(
        shipped.data,
        train=(str(place / "train"),),
        vae=str(place / "vae" / "vae.safetensors"),
        image_encoder=str(place / "image_encoder" / "image_encoder.safetensors"),
        pairs_per_batch=1,
    )
    config = replace(
        shipped, data=data, init_bundle=str(place / "init.safetensors"), steps=1, precision="no", sharding="none"
    )
    before = Bundle.open(config.init_bundle or "").tensors("denoiser")
    trainer = Trainer(config, RunFolder(tmp_path))
    assert (
        (trainer.bare.garmnet is None) == (name == "options/no_garmnet.yaml") == (model_config(config).garmnet is None)
    )
    trainer.run_steps(None)
    trainer.run.close()
    moved = [name for name, value in trainer.bare.denoiser.state_dict().items() if not torch.equal(value, before[name])]
    assert len(moved) > len(before) / 2
    again = Trainer(replace(config, steps=2), RunFolder(tmp_path))
    assert again.step == 1


def test_a_run_without_the_image_prompt_starts_from_the_init_bundle_too(place: Path, tmp_path: Path) -> None:
    shipped = load_config(TrainConfig, CONFIGS / "coarse.yaml", ["model.image_prompt=null"])
    config = replace(shipped, init_bundle=str(place / "init.safetensors"))
    model = model_config(config)
    assert model.image_prompt is None and model.garmnet is not None
