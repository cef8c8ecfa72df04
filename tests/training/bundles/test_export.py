"""Export: only the averaged weights, the same image as the trainer's, provenance, scores."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from igr_core.errors import IGRError, UsageError
from igr_core.files import sha256
from igr_core.model.bundle import Bundle
from igr_core.model.config import to_json
from igr_core.model.networks import build_vae
from igr_core.model.pruning import prune
from igr_core.photo.view import GarmentView
from igr_core.restore.restorer import GarmentRestorer, decode_latent
from igr_core.sampling.loop import Conditions, sample_latents
from igr_core.sampling.presets import Sampling
from igr_core.sampling.schedule import draw_noise
from tests.support.training.made_results import result
from tests.support.training.prepared import tiny_config, write_part
from training.base.files import write_text
from training.base.parts import load_image_encoder, load_vae
from training.base.provenance import bundle_weights_sha256, describe_part, note_start
from training.base.run.checkpoints import load_latest
from training.base.run.run_folder import RunFolder
from training.base.train_config import LoraConfig, TrainConfig
from training.bundles.export import averaged_model, export_run
from training.bundles.unpack import unpack_part
from training.cli.app import app
from training.cli.train import train as train_command
from training.core.compute.lora import merge_lora
from training.core.trainer import Trainer
from training.core.validation import Validator
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import DrawnPairs, draw_shards
from training.data.contract.seeds import HELD_OUT_START
from training.evaluation.experiments.compact import compact_scores
from training.evaluation.result import write_results
from training.prepared.prepare import prepare_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def config(place: Path) -> TrainConfig:
    """A run of three steps, with real drawn and prepared validation pairs."""
    config = replace(tiny_config(place), steps=3, checkpoint_every=3, grid_steps=3)
    draw_shards(place / "drawn", 3, HELD_OUT_START, DrawConfig((48, 64), (96, 128), crop_size=32), workers=1)
    vae, encoder = Path(config.data.vae), Path(config.data.image_encoder)
    prepare_folder(DrawnPairs(place / "drawn"), place / "heldout", vae, encoder, "linear", 500, False, "cpu")
    return replace(config, data=replace(config.data, validation=str(place / "heldout")))


@pytest.fixture(scope="module")
def trained(config: TrainConfig, place: Path) -> Path:
    trainer = Trainer(config, RunFolder(place / "run"))
    note_start(place / "run", 0, "python -m training train x.yaml --run run")
    write_text(place / "run" / "config.json", json.dumps(to_json(config)))
    trainer.run_steps(None)
    trainer.run.close()
    return place / "run"


@pytest.fixture(scope="module")
def bundle(trained: Path, place: Path) -> Path:
    return export(trained, place / "tiny.safetensors")


def export(run: Path, out: Path, precision: str = "fp32", scores: Path | None = None) -> Path:
    found = functools.partial(compact_scores, scores) if scores is not None else None
    return export_run(run, out, "tiny", "Apache-2.0", precision, "random latents", found)


def test_adapters_are_merged_and_no_average_means_the_live_weights(config: TrainConfig, tmp_path: Path) -> None:
    lora = replace(config, lora=LoraConfig(rank=2, alpha=2), ema_decay=0.0, steps=2, checkpoint_every=2)
    trainer = Trainer(lora, RunFolder(tmp_path / "run"))
    write_text(tmp_path / "run" / "config.json", json.dumps(to_json(lora)))
    before = {name: value.clone() for name, value in trainer.bare.denoiser.state_dict().items()}
    trainer.run_steps(None)
    trainer.run.close()
    written = Bundle.open(export(tmp_path / "run", tmp_path / "lora.safetensors"))
    denoiser = written.tensors("denoiser")
    assert not any("lora" in name or "base_layer" in name for name in denoiser)
    changed = {name for name, value in denoiser.items() if not torch.equal(value, before[_base(name, before)])}
    assert changed == {name for name in denoiser if name not in before and name.endswith(".weight")}
    merge_lora(trainer.bare)
    live = trainer.bare.denoiser.state_dict()
    assert all(torch.allclose(value, live[name], atol=1e-6) for name, value in denoiser.items())


def _base(name: str, names: dict[str, torch.Tensor]) -> str:
    """A parameter's name in a model with LoRA adapters, which rename the layers that they wrap."""
    stem, _, last = name.rpartition(".")
    return name if name in names else f"{stem}.base_layer.{last}"


def test_the_file_contains_the_averaged_weights(trained: Path, bundle: Path) -> None:
    checkpoint = load_latest(RunFolder(trained), resume=False)
    assert checkpoint is not None
    opened = Bundle.open(bundle)
    parts = {part: opened.tensors(part) for part in ("denoiser", "garmnet", "image_prompt", "prompts")}
    average, live = checkpoint.state["average"]["weights"], checkpoint.state["model"]
    assert len(live) == sum(map(len, parts.values())) and average.keys() < live.keys()
    for name, value in (live | average).items():
        part, _, rest = name.partition(".")
        assert torch.equal(parts[part][rest], value), name
    assert any(not torch.equal(value, live[name]) for name, value in average.items()), "the average is not the weights"


def test_the_file_reproduces_the_trainers_preview(
    config: TrainConfig, trained: Path, bundle: Path, place: Path
) -> None:
    """The exported bundle's own networks give the latents of the validator."""
    checkpoint = load_latest(RunFolder(trained), resume=False)
    assert checkpoint is not None
    validator = Validator(config, place)
    (pairs,) = validator.sets.values()
    batch = pairs.batch(range(3))
    latent = validator.restored_latent(averaged_model(checkpoint).eval(), batch)
    restorer = GarmentRestorer.from_bundle(bundle)
    with torch.no_grad():
        features = restorer.model.encode_reference(batch.person_latent, batch.mask, batch.categories)
        features, kept = prune(features, batch.mask, restorer.pruning)
    again = sample_latents(
        restorer.model,
        draw_noise(latent.shape, 0),
        Conditions(batch.categories, features, batch.image_features, kept=kept),
        Sampling(config.grid_steps, config.guidance),
    )
    assert torch.equal(latent, again)
    with torch.no_grad():
        preview = decode_latent(validator.vae, latent)
    whole = restored(restorer, place / "drawn", config)
    assert (preview - whole).abs().max() < 2e-2, "prepared latents are in half precision, nothing else differs"


def restored(restorer: GarmentRestorer, drawn: Path, config: TrainConfig) -> torch.Tensor:
    """The headless pipeline's garments for the drawn pairs."""
    pairs = DrawnPairs(drawn)
    view = GarmentView(*(pairs.take(name, range(3)).float() / 255 for name in ("person", "mask", "crop")), (), ())
    return restorer.restore(view, pairs.categories, sampling=Sampling(config.grid_steps, config.guidance))


def test_half_precision_is_close(config: TrainConfig, trained: Path, bundle: Path, place: Path) -> None:
    half = export(trained, place / "half.safetensors", "fp16")
    assert {str(x.dtype) for x in Bundle.open(half).tensors("denoiser").values()} == {"torch.float16"}
    pictures = [restored(GarmentRestorer.from_bundle(path), place / "drawn", config) for path in (bundle, half)]
    assert (pictures[0] - pictures[1]).abs().max() < 2e-2


def test_provenance_is_complete(config: TrainConfig, bundle: Path) -> None:
    training = Bundle.open(bundle).info.training
    assert training["steps"] == 3 and training["loss_curve"] and training["seed"] == config.seed
    assert training["commands"] == [[0, "python -m training train x.yaml --run run"]]
    assert training["revisions"][0][0] == 0
    for part in ("vae", "image_encoder"):
        assert training[part]["sha256"] == sha256(getattr(config.data, part))
        assert training[part]["revisions"] == [[0, "unknown"]] and training[part]["scores"] == {"psnr": 1.0}


def test_scores_are_stored_and_change_no_weight(trained: Path, bundle: Path, place: Path) -> None:
    weights = bundle_weights_sha256(Bundle.open(bundle))
    row = result("tiny", 0.5, weights_sha256=weights)
    write_results(place / "scores.json", [result("other", 0.1), row])
    stamped = Bundle.open(export(trained, place / "stamped.safetensors", scores=place / "scores.json"))
    said = stamped.info.scores["guidance 1.5"]
    assert (said["guidance"], said["steps"], said["n"]) == (1.5, 25, len(row.names))
    assert said["metrics"]["ssim"]["mean"] == pytest.approx(row.paired["ssim"].mean, abs=1e-5)
    assert len(said["metrics"]["ssim"]["interval_95"]) == 2 and said["pairs"] == [row.names[0], row.names[-1]]
    assert bundle_weights_sha256(stamped) == weights
    with pytest.raises(IGRError, match="no scores for these weights"):
        export(trained, place / "other.safetensors", "fp16", place / "scores.json")
    assert not (place / "other.safetensors").exists()


def test_a_vae_that_was_trained_further_is_rejected(config: TrainConfig, trained: Path, tmp_path: Path) -> None:
    torch.manual_seed(9)
    other = write_part(tmp_path / "vae.safetensors", "vae", build_vae(config.model.vae), config.model.vae)
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoints").symlink_to(trained / "checkpoints")
    write_text(run / "config.json", json.dumps(to_json(replace(config, data=replace(config.data, vae=str(other))))))
    with pytest.raises(IGRError, match="has a different VAE .* from the config"):
        export(run, tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    "words", [("b.pt",), ("b",), ("b.safetensors", "--name", " "), ("b.safetensors", "--data", "")]
)
def test_a_bundle_has_its_extension_and_a_description(trained: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    given = {"--out": str(tmp_path / words[0]), "--name": "n", "--data": "d"} | dict([words[1:]] if words[1:] else [])
    done = CliRunner().invoke(app, ["export", str(trained), *(word for pair in given.items() for word in pair)])
    assert done.exit_code == 2 and not list(tmp_path.iterdir())
    assert "use the extension .safetensors" in done.output or "is empty: it is stored in the bundle" in done.output


def test_export_without_a_run_is_reported(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="not a run of `python -m training train`"):
        export(tmp_path, tmp_path / "b.safetensors")


def test_unpacked_parts_can_be_used_for_training_and_record_their_origin(bundle: Path, place: Path) -> None:
    opened = Bundle.open(bundle)
    vae, encoder = (unpack_part(opened, part, place / "unpacked") for part in ("vae", "image_encoder"))
    built, config = load_vae(vae)
    assert config == opened.info.model.vae
    for name, value in opened.tensors("vae").items():
        assert torch.equal(built.state_dict()[name], value.float())
    assert load_image_encoder(encoder)[1] == opened.info.model.image_encoder
    told = describe_part(vae)
    assert told["scores"] == {"psnr": 1.0}
    assert told["unpacked_from"] == {"name": "tiny", "weights_sha256": bundle_weights_sha256(opened)}
    assert told["sha256"] == sha256(vae)


def test_a_run_from_a_bundle_names_its_parent(bundle: Path, config: TrainConfig, place: Path) -> None:
    further = replace(config, init_bundle=str(bundle), steps=1)
    settings = place / "further.yaml"
    settings.write_text(json.dumps(to_json(further)))
    train_command(settings, place / "further")
    training = Bundle.open(export(place / "further", place / "further.safetensors")).info.training
    assert training["parent"]["weights_sha256"] == bundle_weights_sha256(Bundle.open(bundle))
    assert training["parent"]["training"]["steps"] == 3 and training["steps"] == 1
    assert "parent" not in training["parent"]["training"]


def test_unpacking_never_overwrites_a_part(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle.open(bundle)
    path = unpack_part(opened, "vae", tmp_path)
    before = path.read_bytes()
    with pytest.raises(IGRError, match="already exists"):
        unpack_part(opened, "vae", tmp_path)
    assert path.read_bytes() == before


def test_no_file_that_the_run_uses_is_overwritten(trained: Path, config: TrainConfig, bundle: Path) -> None:
    checkpoint = next((trained / "checkpoints").iterdir())
    vae = Path(config.data.vae)
    used = [vae, vae.with_suffix(".json"), Path(config.data.image_encoder), checkpoint, trained / "config.json"]
    before = [file.read_bytes() for file in used]
    for file in used:
        with pytest.raises(UsageError, match=f"--out {file} would overwrite"):
            export(trained, file)
    assert [file.read_bytes() for file in used] == before
    inside = trained / "tiny.safetensors"
    inside.write_bytes(bundle.read_bytes())
    assert Bundle.open(export(trained, inside)).info.name == "tiny"  # an earlier export may be replaced
    inside.unlink()


def test_a_changed_config_of_the_vae_is_not_exported(trained: Path, config: TrainConfig, tmp_path: Path) -> None:
    summary = Path(config.data.vae).with_suffix(".json")
    before = summary.read_text()
    summary.write_text(before.replace("0.18215", "1.0"))
    try:
        with pytest.raises(IGRError, match=r"another config in the \.json file beside data\.vae: restore the \.json"):
            export(trained, tmp_path / "x.safetensors")
    finally:
        summary.write_text(before)
    assert not (tmp_path / "x.safetensors").exists()


def test_the_summary_of_a_part_is_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "vae.json").write_text("kept")
    with pytest.raises(IGRError, match=r"vae\.json already exists: choose a different --out"):
        unpack_part(Bundle.open(bundle), "vae", tmp_path)
    assert [path.name for path in (tmp_path / "vae").iterdir()] == ["vae.json"]
