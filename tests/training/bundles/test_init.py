"""From published files to an initial bundle: every layout, the real names at full size, and rejected files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from igr_core.model.bundle import Bundle
from igr_core.model.config import ImagePromptConfig, UNetConfig, VAEConfig
from igr_core.model.igr import IGR
from igr_core.model.image_prompt import ImagePrompt
from igr_core.model.networks import build_unet, build_vae
from tests.support.models.published_weights import (
    UNET,
    VAE,
    ldm_unet,
    ldm_unet_name,
    ldm_vae_name,
    named_text,
    random_weights,
    text_model,
    write_published,
)
from training.bundles.published import read_image_encoder, read_ip_adapter, read_unet, read_vae
from training.bundles.unpack import unpack_part
from training.cli.app import app


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published(tmp_path_factory.mktemp("published") / "weights")


def command(weights: Path, out: Path, **changes: Path | str) -> tuple[int, str]:
    options: dict[str, Path | str] = {
        "sd": weights / "v1-5-pruned-emaonly.safetensors",
        "tokenizer": weights / "tokenizer",
        "ip-adapter": weights / "ip-adapter_sd15.safetensors",
        "image-encoder": weights / "image_encoder",
        "licence": "test",
        "size": "64x64",
        "precision": "fp32",
        "out": out,
    }
    given = {name: value for name, value in {**options, **changes}.items() if value != ""}
    done = CliRunner().invoke(
        app, ["init"] + [str(word) for name, value in given.items() for word in (f"--{name}", value)]
    )
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture(scope="module")
def bundle(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("init") / "init.safetensors"
    status, said = command(weights, out)
    assert status == 0, said
    return Bundle.open(out)


def test_the_single_file_contains_the_expected_tensors(bundle: Bundle) -> None:
    denoiser, vae = random_weights(build_unet(UNET), 1), random_weights(build_vae(VAE), 2)
    for part, source in (("denoiser", denoiser), ("vae", vae)):
        found = bundle.tensors(part)
        assert found.keys() == source.keys()
        assert all(torch.equal(found[name], source[name]) for name in source), part
    assert bundle.info.model.denoiser == UNET and bundle.info.model.vae == VAE
    assert set(bundle.info.training["initialised_from"]) == {
        "denoiser",
        "garmnet",
        "image_prompt",
        "vae",
        "image_encoder",
    }


def test_garmnet_is_a_copy_that_does_not_see_the_mask_yet(bundle: Bundle) -> None:
    denoiser, garmnet = bundle.tensors("denoiser"), bundle.tensors("garmnet")
    assert torch.equal(garmnet["conv_in.weight"][:, :4], denoiser["conv_in.weight"])
    assert not garmnet["conv_in.weight"][:, 4:].any()
    assert all(torch.equal(value, denoiser[name]) for name, value in garmnet.items() if name != "conv_in.weight")
    model = IGR.from_bundle(bundle)
    person = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        found = [model.encode_reference(person, torch.full((1, 1, 8, 8), value), ["upper"]) for value in (0.0, 1.0)]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_prompts_are_the_text_encoders(bundle: Bundle, weights: Path) -> None:
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(weights / "tokenizer")
    model = text_model()
    model.load_state_dict(random_weights(model, 3))
    model.config.num_attention_heads = 4
    prompts = bundle.prompts()
    assert prompts["upper"].shape == (77, UNET.cross_attention_dim)
    assert not torch.equal(prompts["upper"], prompts["empty"])
    text = bundle.info.model.category_wording["lower"]
    tokens = tokenizer(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        assert torch.allclose(prompts["lower"], model(tokens).last_hidden_state[0], atol=1e-5)


def test_the_frozen_parts_can_be_extracted(bundle: Bundle, tmp_path: Path) -> None:
    for part in ("vae", "image_encoder"):
        tensors = load_file(unpack_part(bundle, part, tmp_path))
        assert all(torch.equal(value, bundle.tensors(part)[name]) for name, value in tensors.items())


def test_a_diffusers_folder_gives_the_same(weights: Path, bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "sd15"
    text = dict(named_text(random_weights(text_model(), 3)))
    for name, tensors, config in (
        ("unet", random_weights(build_unet(UNET), 1), {"attention_head_dim": 8}),
        ("vae", random_weights(build_vae(VAE), 2), {"scaling_factor": 0.18215}),
        ("text_encoder", text, {"num_attention_heads": 4, "hidden_act": "quick_gelu"}),
    ):
        (folder / name).mkdir(parents=True)
        save_file(tensors, folder / name / "diffusion_pytorch_model.safetensors")
        (folder / name / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer").symlink_to(weights / "tokenizer")
    status, said = command(weights, tmp_path / "out.safetensors", sd=folder, tokenizer="")
    assert status == 0, said
    found = Bundle.open(tmp_path / "out.safetensors")
    assert found.info.model == bundle.info.model
    for part in ("denoiser", "garmnet", "vae", "prompts"):
        one, other = found.tensors(part), bundle.tensors(part)
        assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in other), part


def test_other_networks_and_the_plus_layout(weights: Path, tmp_path: Path) -> None:
    garmnet = random_weights(build_unet(replace(UNET, in_channels=5)), 9)
    denoiser = random_weights(build_unet(UNET), 8)
    save_file(garmnet, tmp_path / "garmnet.safetensors")
    save_file(denoiser, tmp_path / "denoiser.safetensors")
    plus = load_file(weights / "ip-adapter-plus_sd15.safetensors")
    nested: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, value in plus.items():
        part, _, rest = name.partition(".")
        nested[part][rest] = value
    torch.save(nested, tmp_path / "plus.bin")
    status, said = command(
        weights,
        tmp_path / "out.safetensors",
        garmnet=tmp_path / "garmnet.safetensors",
        denoiser=tmp_path / "denoiser.safetensors",
        **{"ip-adapter": tmp_path / "plus.bin"},
    )
    assert status == 0, said
    found = Bundle.open(tmp_path / "out.safetensors")
    assert torch.equal(found.tensors("garmnet")["conv_in.weight"], garmnet["conv_in.weight"])
    assert torch.equal(found.tensors("denoiser")["conv_in.weight"], denoiser["conv_in.weight"])
    assert all(torch.equal(found.tensors("image_prompt")[name], value) for name, value in plus.items())
    assert IGR.from_bundle(found).config.image_prompt == ImagePromptConfig("resampler", 16, 64, 1, 64, 2)


def test_true_names_of_the_unet_at_full_size() -> None:
    """SD1.5 has 686 UNet tensors; each has a name in both layouts, and the shape that the denoiser needs."""
    with torch.device("meta"):
        wanted = build_unet(UNetConfig()).state_dict()
    attends = tuple(reversed(UNetConfig().attention_levels))
    names = {ldm_unet_name(name, attends) for name in wanted}
    assert len(names) == len(wanted) == 686
    for known in (
        "input_blocks.0.0.weight",
        "input_blocks.3.0.op.weight",
        "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "middle_block.1.proj_in.weight",
        "output_blocks.2.1.conv.weight",
        "output_blocks.5.2.conv.weight",
        "output_blocks.11.0.skip_connection.weight",
        "time_embed.2.bias",
        "out.2.weight",
    ):
        assert known in names


def test_full_size_shapes_are_read_from_the_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        unet, vae = build_unet(UNetConfig()).state_dict(), build_vae(VAEConfig()).state_dict()
    both = ldm_unet(unet, UNetConfig())
    both |= {f"first_stage_model.{ldm_vae_name(name, 4)}": value for name, value in vae.items()}
    assert sum(name.startswith("first_stage_model.") for name in both) == 248
    monkeypatch.setattr("training.bundles.published.read_weights", lambda path: dict(both))
    tensors, shape = read_unet(tmp_path)
    assert shape == UNetConfig() and {n: v.shape for n, v in tensors.items()} == {n: v.shape for n, v in unet.items()}
    tensors, config = read_vae(tmp_path)
    assert config == VAEConfig() and tensors.keys() == vae.keys()


@pytest.mark.parametrize(
    "prompt",
    [ImagePromptConfig(), ImagePromptConfig("resampler", 16, 1280, 4, 64, 12)],
    ids=["ip-adapter_sd15", "ip-adapter-plus_sd15"],
)
def test_full_size_ip_adapters(prompt: ImagePromptConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published names: 16 odd numbers, keys and values of widths 320, 640 and 1280."""
    with torch.device("meta"):
        tensors = ImagePrompt(prompt, UNetConfig()).state_dict()
    monkeypatch.setattr("training.bundles.published.read_weights", lambda path: dict(tensors))
    _, found = read_ip_adapter(tmp_path)
    assert found == prompt
    numbers = sorted(int(name.split(".")[1]) for name in tensors if name.endswith("to_k_ip.weight"))
    assert numbers == list(range(1, 32, 2))
    assert tensors["ip_adapter.1.to_k_ip.weight"].shape == (320, 768)
    assert tensors["ip_adapter.31.to_k_ip.weight"].shape == (1280, 768)  # the middle block comes last


def test_the_image_encoder_inside_a_whole_clip(weights: Path, tmp_path: Path) -> None:
    tower = load_file(weights / "image_encoder" / "model.safetensors")
    save_file(tower | {"text_model.final_layer_norm.weight": torch.zeros(3)}, tmp_path / "clip.safetensors")
    found, config = read_image_encoder(tmp_path / "clip.safetensors")
    assert found.keys() == tower.keys() and config.hidden_size == 64 and config.image_size == 28


def wrong_files(weights: Path, folder: Path) -> dict[str, tuple[dict[str, Path | str], str]]:
    sd = load_file(weights / "v1-5-pruned-emaonly.safetensors")
    inpainting = dict(sd)
    entry = "model.diffusion_model.input_blocks.0.0.weight"
    inpainting[entry] = torch.zeros(32, 9, 3, 3)
    save_file(inpainting, folder / "inpainting.safetensors")
    wide = {name: torch.zeros(v.shape[0], 1024) if "attn2.to_k" in name else v for name, v in sd.items()}
    save_file(wide, folder / "sd2.safetensors")
    save_file({"lora_unet_x.lora_up.weight": torch.zeros(1)}, folder / "lora.safetensors")
    some = {name: value for name, value in sd.items() if "middle_block.1.proj_in" not in name}
    save_file(some, folder / "part.safetensors")
    (folder / "cut.safetensors").write_bytes((weights / "v1-5-pruned-emaonly.safetensors").read_bytes()[:4000])
    return {
        "inpainting": ({"sd": folder / "inpainting.safetensors"}, "9 input channels"),
        "sd2": ({"sd": folder / "sd2.safetensors"}, "is SD2"),
        "lora": ({"sd": folder / "lora.safetensors"}, "contains no UNet"),
        "part": ({"sd": folder / "part.safetensors"}, "lacks mid_block.attentions.0.proj_in"),
        "cut": ({"sd": folder / "cut.safetensors"}, "cannot be read"),
        "nothing": ({"sd": folder / "nothing"}, "is neither a file nor a folder"),
        "no tokenizer": ({"tokenizer": ""}, "--tokenizer"),
        "adapter": ({"ip-adapter": folder / "lora.safetensors"}, "is not an IP-Adapter"),
        "encoder": ({"image-encoder": folder / "lora.safetensors"}, "no CLIP vision model"),
        "size": ({"size": "60x64"}, "multiples of 64|multiples of 8"),
    }


CASES = ("inpainting", "sd2", "lora", "part", "cut", "nothing", "no tokenizer", "adapter", "encoder", "size")


@pytest.mark.parametrize("case", CASES)
def test_wrong_files_are_reported_in_one_sentence(case: str, weights: Path, tmp_path: Path) -> None:
    changes, words = wrong_files(weights, tmp_path)[case]
    status, said = command(weights, tmp_path / "out" / "init.safetensors", **changes)
    assert status == 1 and any(word in said for word in words.split("|")), said
    assert not (tmp_path / "out").exists()


def test_an_encoder_of_another_width_is_named(weights: Path, tmp_path: Path) -> None:
    tower = load_file(weights / "image_encoder" / "model.safetensors")
    tower["visual_projection.weight"] = torch.zeros(24, 64)
    save_file(tower, tmp_path / "other.safetensors")
    status, said = command(weights, tmp_path / "x.safetensors", **{"image-encoder": tmp_path / "other.safetensors"})
    assert status == 1 and "width 16" in said and "has width 24" in said


def test_weights_that_are_not_finite_are_named_with_their_file(weights: Path, tmp_path: Path) -> None:
    shutil.copytree(weights, tmp_path / "weights")
    encoder = tmp_path / "weights" / "image_encoder" / "model.safetensors"
    tensors = load_file(encoder)
    tensors["visual_projection.weight"][0, 0] = torch.nan
    save_file(tensors, encoder)
    code, said = command(tmp_path / "weights", tmp_path / "out.safetensors")
    assert code == 1 and "image_encoder contains NaN or infinite values in visual_projection.weight: download" in said
    assert not (tmp_path / "out.safetensors").exists()


def test_a_source_is_not_overwritten(weights: Path, tmp_path: Path) -> None:
    shutil.copytree(weights, tmp_path / "weights")
    encoder = tmp_path / "weights" / "image_encoder" / "model.safetensors"
    before = encoder.read_bytes()
    code, said = command(tmp_path / "weights", encoder)
    assert code == 2 and "model.safetensors would overwrite a file of" in said
    assert encoder.read_bytes() == before
