"""The autoencoder's training at tiny size: resuming, export, standardised latents, the included config."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from igr_core.errors import IGRError
from igr_core.model.config import VAEConfig, from_json
from igr_core.model.networks import build_vae
from tests.support.training.stopping import logged, stopped_at_call
from training.base.config_files import load_config
from training.base.parts import parameter_count
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import DrawnPairs, draw_shards
from training.data.contract.seeds import HELD_OUT_START
from training.small_models import vae as train_vae
from training.small_models.vae import VAETraining, measure, reconstruct, sample_batch, standardise_latent, train

CONFIGS = Path(train_vae.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> VAETraining:
    """A run of four steps on three pairs."""
    folder, config = tmp_path_factory.mktemp("drawn"), DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16)
    draw_shards(folder / "pairs", 3, 0, config, workers=1)
    draw_shards(folder / "held_out", 3, HELD_OUT_START, config, workers=1)
    return VAETraining(
        data=str(folder / "pairs"),
        held_out=str(folder / "held_out"),
        vae=VAEConfig(block_out_channels=(32, 32), layers_per_block=1),
        steps=4,
        batch=2,
        crop=16,
        whole_share=0.25,
        warmup=1,
        precision="no",
        log_every=1,
        save_every=2,
        validate_every=3,
    )


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_killed_run_resumes_as_if_it_had_not_been_killed(tiny: VAETraining, tmp_path: Path, optimizer: str) -> None:
    whole = replace(tiny, run=str(tmp_path / "whole"), optimizer=optimizer)
    parts = replace(whole, run=str(tmp_path / "parts"))
    train(whole)
    with stopped_at_call(train_vae, "sample_batch", 4):
        train(parts)
    torch.rand(7)
    train(parts)
    assert logged(tmp_path / "parts") == logged(tmp_path / "whole")
    one, other = (load_file(tmp_path / name / "vae.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_outputs_rebuild_the_autoencoder(tiny: VAETraining, tmp_path: Path) -> None:
    scores = train(replace(tiny, run=str(tmp_path)))
    summary = json.loads((tmp_path / "vae.json").read_text())
    config = from_json(VAEConfig, summary["vae"])
    assert config.scaling_factor == pytest.approx(1 / scores["latent_std_garment"], rel=1e-3)
    assert summary["scores"] == scores
    vae = build_vae(config)
    vae.load_state_dict(load_file(tmp_path / "vae.safetensors"))
    again = measure(vae, DrawnPairs(tiny.held_out), tiny, None)
    assert again["psnr_garment"] == pytest.approx(scores["psnr_garment"], abs=1e-3)
    assert (tmp_path / "grid-000004.png").exists()
    assert summary["training"]["seed"] == tiny.seed and summary["revisions"][0][0] == 0 and summary["commands"]


def test_standardised_latent_decodes_the_same(tiny: VAETraining) -> None:
    torch.manual_seed(0)
    vae = build_vae(tiny.vae)
    pictures = DrawnPairs(tiny.data).take("garment", range(3))
    before, _ = reconstruct(vae, pictures, tiny)
    spread = vae.encode(pictures.float() / 127.5 - 1).latent_dist
    standardise_latent(vae, pictures, tiny)
    after, latents = reconstruct(vae, pictures, tiny)
    new_spread = vae.encode(pictures.float() / 127.5 - 1).latent_dist
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(4), atol=1e-3)
    ratio = spread.std / spread.mean.std((0, 2, 3), keepdim=True)
    new_ratio = new_spread.std / new_spread.mean.std((0, 2, 3), keepdim=True)
    assert torch.allclose(ratio, new_ratio, rtol=1e-3)


def test_batches_depend_on_the_step_alone(tiny: VAETraining) -> None:
    pairs = DrawnPairs(tiny.data)
    assert torch.equal(sample_batch(pairs, tiny, 1), sample_batch(pairs, tiny, 1))
    assert sample_batch(pairs, tiny, 1).shape == (2, 3, 16, 16)
    assert sample_batch(pairs, tiny, 3).shape[-2:] == (32, 24)  # the last quarter uses whole images


def test_decoder_alone_keeps_the_latents(tiny: VAETraining, tmp_path: Path) -> None:
    train(replace(tiny, run=str(tmp_path / "first"), steps=1))
    finished = tmp_path / "first" / "vae.safetensors"
    train(replace(tiny, run=str(tmp_path / "second"), steps=2, decoder_of=str(finished)))
    one, other = load_file(finished), load_file(tmp_path / "second" / "vae.safetensors")
    changed = {key for key in one if not torch.equal(one[key], other[key])}
    assert {key.split(".")[0] for key in changed} == {"decoder", "post_quant_conv"}
    configs = [json.loads((tmp_path / name / "vae.json").read_text())["vae"] for name in ("first", "second")]
    assert configs[0] == configs[1]


def test_kernels_are_stored_channels_last(tiny: VAETraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This makes convolutions fast on CPUs; the file contains the usual layout."""
    seen: list[bool] = []
    real = train_vae.vae_loss

    def look(vae, *rest):  # noqa: ANN001, ANN002, ANN202
        seen.append(vae.encoder.conv_in.weight.is_contiguous(memory_format=torch.channels_last))
        return real(vae, *rest)

    monkeypatch.setattr(train_vae, "vae_loss", look)
    train(replace(tiny, run=str(tmp_path), steps=1))
    assert seen == [True]
    assert load_file(tmp_path / "vae.safetensors")["encoder.conv_in.weight"].is_contiguous()


def test_missing_data_is_named(tiny: VAETraining, tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="python -m training data draw"):
        train(replace(tiny, run=str(tmp_path / "run"), data=str(tmp_path / "nothing")))


def test_crops_are_whole_latent_cells(tiny: VAETraining) -> None:
    with pytest.raises(IGRError, match="crop is 17: use a multiple of 2, the VAE's downscale factor"):
        replace(tiny, crop=17)


def test_shipped_config() -> None:
    config = load_config(VAETraining, CONFIGS / "small" / "from_scratch" / "vae.yaml")
    assert config.vae.downscale == 8
    assert parameter_count(build_vae(config.vae).parameters()) <= 3_500_000


@pytest.mark.parametrize("entry", ["init", "decoder_of"])
def test_a_run_does_not_replace_the_vae_that_it_starts_from(tiny: VAETraining, tmp_path: Path, entry: str) -> None:
    for name in ("vae.safetensors", "vae.json"):
        (tmp_path / name).write_text("kept")
    start = str(tmp_path / "vae.safetensors")
    with pytest.raises(IGRError, match="--run .* would overwrite an input of the command: choose another --run"):
        train(replace(tiny, run=str(tmp_path), **{entry: start}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vae.json", "vae.safetensors"]
