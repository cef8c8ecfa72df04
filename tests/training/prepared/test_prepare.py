"""Preparing: the same values as in the headless pipeline, growing shards, and the comparison of settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.model.bundle import BundleInfo
from igr_core.model.config import ImagePromptConfig, to_json
from igr_core.model.igr import IGR
from igr_core.photo.view import GarmentView
from igr_core.restore.restorer import GarmentRestorer
from tests.support.models.tiny import INFO, MODEL
from tests.support.training.prepared import tiny_config
from training.base.parts import load_image_encoder, load_vae
from training.base.train_config import TrainConfig
from training.cli.app import app
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import DrawnPairs, draw_shards
from training.prepared.fits import check_settings
from training.prepared.latents import PreparedPairs
from training.prepared.prepare import prepare_folder, prepare_pairs

DRAWN = DrawConfig((48, 64), (96, 128), MODEL.view, crop_size=32)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return tiny_config(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_shards(folder, 5, 0, DRAWN, workers=1)
    return folder


def go(config: TrainConfig, drawn: Path, out: Path, limit: int | None = None, **changes: object) -> int:
    settings = {"layout": "linear", "shard": 2, "bf16": False, "device": "cpu"} | changes
    vae, encoder = Path(config.data.vae), Path(config.data.image_encoder)
    return prepare_folder(DrawnPairs(drawn, limit), out, vae, encoder, **settings)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("layout", ["linear", "resampler"])
def test_prepared_pairs_equal_the_inputs_of_restoring(config: TrainConfig, drawn: Path, layout: str) -> None:
    """Latent, mask and image features of one view, by python -m training prepare and by GarmentRestorer."""
    vae, _ = load_vae(config.data.vae)
    encoder, _ = load_image_encoder(config.data.image_encoder)
    pairs = DrawnPairs(drawn)
    tensors = prepare_pairs(pairs, range(1, 2), vae, MODEL.vae.downscale, encoder, layout)  # type: ignore[arg-type]
    width = MODEL.image_encoder.projection_dim if layout == "linear" else MODEL.image_encoder.hidden_size
    image_prompt = ImagePromptConfig(layout=layout, tokens=2, embedding_dim=width, depth=1, head_dim=16, heads=2)  # type: ignore[arg-type]
    info: BundleInfo = replace(INFO, model=replace(MODEL, image_prompt=image_prompt))
    fed: dict[str, torch.Tensor] = {}

    class Watched(IGR):
        def encode_reference(self, person_latent, mask, categories):  # noqa: ANN001, ANN202
            fed.update(person_latent=person_latent, mask=mask)
            return super().encode_reference(person_latent, mask, categories)

    view = GarmentView(*(pairs.take(name, [1]).float() / 255 for name in ("person", "mask", "crop")), (), ())
    conditions = GarmentRestorer(info, Watched(info.model), vae, encoder).conditions(view, pairs.categories[1:2])
    assert conditions.image_features is not None
    fed["image_features"] = conditions.image_features
    for name, value in fed.items():
        assert tensors[name].shape == value.shape
        assert torch.equal(tensors[name], value.half()), name


def test_a_grown_or_limited_shard_is_read_once(config: TrainConfig, drawn: Path, tmp_path: Path) -> None:
    assert go(config, drawn, tmp_path, limit=3) == 3
    assert names(tmp_path) == ["latents-000000000-2.safetensors", "latents-000000002-1.safetensors"]
    whole = (tmp_path / "latents-000000000-2.safetensors").stat().st_mtime_ns
    assert go(config, drawn, tmp_path) == 3
    assert names(tmp_path) == [f"latents-{start:09d}-{count}.safetensors" for start, count in ((0, 2), (2, 2), (4, 1))]
    assert (tmp_path / "latents-000000000-2.safetensors").stat().st_mtime_ns == whole
    assert PreparedPairs([tmp_path]).seeds() == [0, 1, 2, 3, 4]
    assert go(config, drawn, tmp_path, limit=3) == go(config, drawn, tmp_path) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"layout": "resampler"}, r"different settings \(layout\)"), ({"bf16": True}, "bf16"), ({"shard": 3}, "--shard")],
)
def test_shards_with_other_settings_are_not_reused(
    config: TrainConfig, drawn: Path, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    go(config, drawn, tmp_path)
    before = names(tmp_path)
    with pytest.raises(IGRError, match=words):
        go(config, drawn, tmp_path, **changes)
    assert names(tmp_path) == before


def test_shards_of_other_pairs_are_not_reused(config: TrainConfig, drawn: Path, tmp_path: Path) -> None:
    go(config, drawn, tmp_path / "out")
    draw_shards(tmp_path / "others", 2, 100, DRAWN, workers=1)
    with pytest.raises(IGRError, match=r"different settings \(pairs\)"):
        go(config, tmp_path / "others", tmp_path / "out")
    draw_shards(tmp_path / "cropped", 2, 0, replace(DRAWN, corrupt_share=0.0), workers=1)
    with pytest.raises(IGRError, match=r"different settings \(drawn\)"):
        go(config, tmp_path / "cropped", tmp_path / "out")


def command(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["prepare", *(str(one) for one in arguments)])
    return done.exit_code, " ".join(done.output.split())


def test_the_command_follows_the_training_config(config: TrainConfig, drawn: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    status, said = command(path, "--drawn", drawn, "--out", tmp_path / "out", "--device", "cpu")
    assert status == 0, said
    (settings,) = PreparedPairs([tmp_path / "out"]).settings
    assert (settings["layout"], settings["vae"]) == ("linear", sha256(config.data.vae))
    for arguments, words in (
        ((path, "--drawn", drawn, "--out", tmp_path / "x", "--layout", "resampler"), "image-prompt layout"),
        (("--drawn", drawn, "--out", tmp_path / "x"), "The VAE, image encoder and layout are missing"),
        ((path, "--drawn", tmp_path / "nothing", "--out", tmp_path / "x"), "python -m training data draw"),
        *(
            ((path, "--drawn", drawn, "--out", tmp_path / "x", *more), "--drawn takes pairs as they were drawn: omit")
            for more in (("--data", drawn), ("--flips",), ("--set", "spoil_share=1"), ("--manifest", tmp_path))
        ),
    ):
        status, said = command(*arguments)
        assert status == 1 and words in said and not (tmp_path / "x").exists()


def test_pairs_of_an_earlier_run_that_training_would_use_are_noted(
    config: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    arguments = (path, "--drawn", drawn, "--out", tmp_path / "out", "--device", "cpu", "--shard", 2)
    status, said = command(*arguments)
    assert status == 0 and "5 pairs, 5 new." in said and "also contains" not in said
    status, said = command(*arguments, "--limit", 1)
    assert status == 0 and "1 pair, 0 new." in said
    assert f"{tmp_path / 'out'} also contains 4 pairs from an earlier run, which training will use too: set" in said
    assert len(PreparedPairs([tmp_path / "out"])) == 5


def test_pairs_drawn_for_another_model_are_refused(config: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(to_json(config)))))
    for changes, words in (
        ({"size": (24, 32)}, "image size"),
        ({"view": replace(DRAWN.view, mode="focused")}, "view"),
        ({"crop_size": 16}, "crop size"),
    ):
        folder = tmp_path / words
        draw_shards(folder, 1, 0, replace(DRAWN, **changes), workers=1)  # type: ignore[arg-type]
        status, said = command(path, "--drawn", folder, "--out", tmp_path / "out")
        assert status == 1 and f"a different {words}" in said


@pytest.mark.parametrize(("part", "prefix"), [("vae", "decoder."), ("image_encoder", "vision_model.")])
def test_a_network_that_is_not_finite_is_named_and_nothing_is_written(
    drawn: Path, tmp_path: Path, part: str, prefix: str
) -> None:
    config = tiny_config(tmp_path / "parts")
    path = Path(getattr(config.data, part))
    tensors = load_file(path)
    name = next(name for name in sorted(tensors) if name.startswith(prefix))
    tensors[name].view(-1)[0] = torch.inf
    save_file(tensors, path)
    with pytest.raises(IGRError, match=rf"{path.name} contains NaN or infinite values in {name}"):
        go(config, drawn, tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_shards_record_the_parts_configs_and_earlier_folders_go_on_without(drawn: Path, tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "parts")
    go(config, drawn, tmp_path / "out", limit=2)
    summary = Path(config.data.vae).with_suffix(".json")
    before = summary.read_text()
    summary.write_text(before.replace("0.18215", "1.0"))
    with pytest.raises(IGRError, match=r"prepared with different settings \(vae_config\)"):
        go(config, drawn, tmp_path / "out")
    with pytest.raises(IGRError, match=r"The training data has a different VAE config from .*vae\.json: restore the"):
        check_settings(config, PreparedPairs([tmp_path / "out"]).settings[0], "The training data")
    summary.write_text(before)
    (shard,) = (tmp_path / "out").iterdir()
    with safe_open(shard, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    settings = {name: one for name, one in json.loads(metadata["settings"]).items() if not name.endswith("_config")}
    save_file(tensors, shard, metadata | {"settings": json.dumps(settings)})
    assert go(config, drawn, tmp_path / "out") == 3
    assert all(one == settings for one in PreparedPairs([tmp_path / "out"]).settings)
    check_settings(config, settings, "The training data")
