"""Every included training config is loaded and takes a step, at tiny width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from transformers import Dinov2Config, Dinov2Model

from igr_core.flatten.network import Flattener
from igr_core.model.bundle import save_bundle
from igr_core.model.igr import IGR
from igr_core.model.networks import build_image_encoder, build_vae
from tests.support.models.tiny import INFO, MODEL
from tests.support.rendered import stand_in
from tests.support.training.prepared import tiny_config, write_prepared, write_vgg
from training.base.config_files import load_config
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.base.train_config import TrainConfig
from training.core.trainer import Trainer
from training.data.contract.seeds import HELD_OUT_START
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate
from training.prepared.latents import PreparedPairs
from training.prepared.selection import PairsConfig, layout_of, open_pairs
from training.small_models.flattener.training import FlattenerTraining
from training.small_models.image_encoder import ImageEncoderTraining
from training.small_models.parser.model import build_parser
from training.small_models.parser.training import ParserTraining
from training.small_models.segmenter.model import build_segmenter
from training.small_models.segmenter.training import SegmenterTraining
from training.small_models.vae import VAETraining

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
PARTS = {
    "vae": (VAETraining, build_vae),
    "image_encoder": (ImageEncoderTraining, build_image_encoder),
    "segmenter": (SegmenterTraining, build_segmenter),
    "parser": (ParserTraining, build_parser),
}
OTHER_COMMANDS = [f"small/{start}{part}.yaml" for start in ("", "from_scratch/") for part in PARTS]
OTHER_COMMANDS.append("small/flattener.yaml")
SHIPPED = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob("*.yaml")
    if not {"launch", "evaluation"} & set(path.relative_to(CONFIGS).parts)
    and path.relative_to(CONFIGS).as_posix() not in OTHER_COMMANDS
    and not path.name.startswith("pairs")
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, Path]:
    """Tiny data and parts, and a folder with a tiny starting bundle and a tiny DINOv2."""
    folder = tmp_path_factory.mktemp("tiny")
    config = tiny_config(folder)
    torch.manual_seed(0)
    model = IGR(MODEL)
    parts = {name: dict(module.state_dict()) for name, module in model.parts().items()}
    save_bundle(folder / "init.safetensors", INFO, parts)
    sides = {"garment_latent": (4, 6, 4), "person_latent": (4, 6, 4), "mask": (1, 6, 4)}
    write_prepared(folder / "low", 4, settings=PreparedPairs([config.data.validation]).settings[0], **sides)
    Dinov2Model(Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(folder / "d")
    return config, folder


def shrunk(shipped: TrainConfig, config: TrainConfig, folder: Path) -> TrainConfig:
    """The shipped settings on tiny networks and data."""
    draws, photos, low = shipped.data.draws_per_pair, shipped.data.photos, shipped.low_resolution
    if low is not None:
        low = replace(low, train=(str(folder / "low"),), weights=None, size=(32, 48), steps=1, pairs_per_batch=1)
    data = replace(config.data, pairs_per_batch=1, draws_per_pair=draws, photos=photos)
    return replace(
        shipped,
        data=data,
        model=replace(config.model, **{part: None for part in ABLATED if getattr(shipped.model, part) is None}),
        init_bundle=None if shipped.init_bundle is None else str(folder / "init.safetensors"),
        size=None if shipped.size is None else MODEL.native_size,
        extra_losses=replace(shipped.extra_losses, dino_model=str(folder / "d")),
        correspondence_weight=0.0,  # the tiny UNet has no blocks of these names
        low_resolution=low,
        steps=1 if low is None else 2,  # one at each size
    )


PAIRS = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("pairs*.yaml"))


@pytest.mark.parametrize("name", PAIRS)
def test_its_pairs_can_be_opened(name: str, tmp_path: Path, tree: Callable[[str], Path]) -> None:
    changes = ["data.synthetic.count=4", "data.synthetic.size=[96, 128]", "data.limit=2", "manifest=null"]
    data = load_config(PairsConfig, CONFIGS / name).data
    if data.layout == "rendered":
        start = HELD_OUT_START if data.split == "test" else 0
        settings = RenderSettings((48, 64), held_out=start > 0)
        generate(tmp_path, range(start, start + 2), settings, 1, maker=stand_in.make_record)
        changes.append(f"data.root={tmp_path}")
    if "viton_hd" in name:
        changes.append(f"data.root={tree('viton_hd')}")
    config = load_config(PairsConfig, CONFIGS / name, changes)
    pairs = open_pairs(config, layout_of(MODEL, config), None, 1)
    assert pairs.pictures(range(1))["garment"].shape[-2:] == (64, 48)


@pytest.mark.parametrize("name", OTHER_COMMANDS)
def test_a_part_of_this_config_can_be_built(name: str) -> None:
    part = Path(name).stem
    if part == "flattener":
        Flattener(load_config(FlattenerTraining, CONFIGS / name).network)
        return
    kind, build = PARTS[part]
    config = load_config(kind, CONFIGS / name)
    assert sum(weight.numel() for weight in build(getattr(config, part)).parameters()) > 100_000


def test_the_small_models_parts_are_those_of_its_config() -> None:
    model = load_config(TrainConfig, CONFIGS / "small" / "igr_small.yaml").model
    assert load_config(VAETraining, CONFIGS / "small" / "vae.yaml").vae == model.vae
    encoder = load_config(ImageEncoderTraining, CONFIGS / "small" / "image_encoder.yaml").image_encoder
    assert encoder == model.image_encoder


def test_the_launch_file_is_accelerates() -> None:
    config = load_config_from_file(str(CONFIGS / "launch" / "zero2_4gpu.yaml"))
    assert config.num_processes == 4 and config.distributed_type == "MULTI_GPU"


ABLATED = ("garmnet", "image_prompt")


@pytest.mark.parametrize("name", SHIPPED)
def test_it_takes_a_step(name: str, tiny: tuple[TrainConfig, Path], tmp_path: Path) -> None:
    config = shrunk(load_config(TrainConfig, CONFIGS / name), *tiny)
    if config.extra_losses.lpips > 0:
        pytest.importorskip("lpips", reason="needs the package lpips: pip install lpips")
        weights = write_vgg(tmp_path / "vgg16-397923af.pth")
        config = replace(config, extra_losses=replace(config.extra_losses, lpips_weights=str(weights)))
    trainer = Trainer(config, RunFolder(tmp_path))
    trainer.run_steps(None)
    trainer.run.close()
    found = load_latest(RunFolder(tmp_path), resume=False)
    assert found is not None and found.step == config.steps
    assert all(torch.isfinite(value).all() for value in found.state["model"].values())
