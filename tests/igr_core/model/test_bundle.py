"""The bundle file: an exact round trip, and one clear sentence for every invalid file."""

import dataclasses
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from igr_core.errors import IGRError
from igr_core.model.bundle import FORMAT_VERSION, METADATA_KEY, Bundle, describe, save_bundle
from tests.support.models.tiny import INFO, MODEL, stub_parts


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "tiny.safetensors", INFO, stub_parts())
    return tmp_path / "tiny.safetensors"


def header(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """The JSON entry and all tensors of a bundle."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as handle:
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
        return json.loads(handle.metadata()[METADATA_KEY]), tensors


def nested(depth: int) -> dict:
    """Nested mappings."""
    return {"in": nested(depth - 1)} if depth else {}


def rewrite(path: Path, change_info=lambda data: data, change_tensors=lambda tensors: tensors) -> Path:
    data, tensors = header(path)
    tensors = {key: value.clone() for key, value in tensors.items()}
    save_file(change_tensors(tensors), path, metadata={METADATA_KEY: json.dumps(change_info(data))})
    return path


def opening_fails(path: Path, *words: str) -> str:
    with pytest.raises(IGRError) as caught:
        Bundle.open(path)
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence
    for word in words:
        assert word in sentence
    return sentence


def test_save_load_save_is_byte_equal(saved: Path, tmp_path: Path):
    bundle = Bundle.open(saved)
    assert bundle.info == INFO
    parts = {part: bundle.tensors(part) for part in ("prompts", "image_prompt", "garmnet", "denoiser")}
    save_bundle(tmp_path / "again.safetensors", bundle.info, parts)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_bytes_do_not_depend_on_order_or_layout(saved: Path, tmp_path: Path):
    parts = {
        part: {name: value.mT.contiguous().mT for name, value in reversed(tensors.items()) if value.ndim > 1}
        | {name: value for name, value in tensors.items() if value.ndim < 2}
        for part, tensors in reversed(stub_parts().items())
    }
    save_bundle(tmp_path / "again.safetensors", INFO, parts)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_bytes_do_not_depend_on_the_order_of_provenance(saved: Path, tmp_path: Path):
    info = dataclasses.replace(INFO, training=dict(reversed(INFO.training.items())))
    save_bundle(tmp_path / "again.safetensors", info, stub_parts())
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_one_tensor_under_two_names_is_saved_twice(tmp_path: Path):
    parts = stub_parts()
    parts["prompts"]["lower"] = parts["prompts"]["upper"]
    save_bundle(tmp_path / "tied.safetensors", INFO, parts)
    loaded = Bundle.open(tmp_path / "tied.safetensors").prompts()
    assert torch.equal(loaded["lower"], loaded["upper"])


def test_views_of_one_memory_are_saved(tmp_path: Path):
    parts = stub_parts()
    stack = torch.randn(4, 3, 32)
    parts["prompts"] = dict(zip(parts["prompts"], stack, strict=True))
    save_bundle(tmp_path / "views.safetensors", INFO, parts)
    loaded = Bundle.open(tmp_path / "views.safetensors").prompts()
    assert torch.equal(torch.stack([loaded[name] for name in parts["prompts"]]), stack)


def test_parts_shapes_and_tensors(saved: Path):
    bundle = Bundle.open(saved)
    assert bundle.has("garmnet") and not bundle.has("vae")
    assert bundle.shapes("garmnet")["conv_in.weight"] == (32, 5, 3, 3)
    assert torch.equal(bundle.tensors("garmnet")["conv_in.bias"], stub_parts()["garmnet"]["conv_in.bias"])
    assert set(bundle.prompts()) == {"upper", "lower", "full", "empty"}
    with pytest.raises(IGRError, match="has no vae"):
        bundle.tensors("vae")


def test_a_model_without_garmnet_and_image_prompt(tmp_path: Path):
    model = dataclasses.replace(MODEL, garmnet=None, image_prompt=None)
    save_bundle(tmp_path / "plain.safetensors", dataclasses.replace(INFO, model=model), stub_parts(model))
    assert not Bundle.open(tmp_path / "plain.safetensors").has("garmnet")


def conv_in(channels: int, bias: bool = True) -> nn.Module:
    module = nn.Module()
    module.conv_in = nn.Conv2d(channels, 32, 3, bias=bias)
    return module


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_load_into(saved: Path, device: str):
    module = conv_in(5).to(device)
    Bundle.open(saved).load_into(module, "garmnet")
    assert torch.equal(module.conv_in.weight, stub_parts()["garmnet"]["conv_in.weight"])


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (conv_in(4), ("conv_in.weight is 32×5×3×3 instead of 32×4×3×3",)),
        (conv_in(5, bias=False), ("unexpected conv_in.bias",)),
        (nn.Sequential(*(nn.Linear(2, 2) for _ in range(3))), ("missing 0.bias, 0.weight, 1.bias and 3 more",)),
    ],
)
def test_load_into_compares_before_it_copies(saved: Path, module: nn.Module, words: tuple[str, ...]):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(IGRError) as caught:
        Bundle.open(saved).load_into(module, "garmnet")
    for word in (str(saved), "garmnet", *words):
        assert word in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_check_fit_compares_names_and_shapes_and_reads_no_weight(saved: Path):
    bundle = Bundle.open(saved)
    saved.unlink()
    bundle.check_fit(conv_in(5), "garmnet")
    with pytest.raises(IGRError, match="garmnet in .*tiny.safetensors does not match its config: conv_in.weight is"):
        bundle.check_fit(conv_in(4), "garmnet")
    with pytest.raises(IGRError, match="has no vae"):
        bundle.check_fit(conv_in(4), "vae")
    with pytest.raises(IGRError, match="changed or disappeared"):
        bundle.load_into(conv_in(5), "garmnet")


def test_weights_that_are_not_numbers_are_named(saved: Path):
    def corrupt(tensors: dict) -> dict:
        tensors["garmnet.conv_in.weight"][0, 0, 0, 0] = torch.nan
        return tensors

    bundle = Bundle.open(rewrite(saved, change_tensors=corrupt))
    bundle.tensors("denoiser")
    with pytest.raises(
        IGRError, match=r"tiny.safetensors contains NaN or infinite values in garmnet.conv_in.weight: use"
    ):
        bundle.tensors("garmnet")


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2, torch.float16, torch.bfloat16])
def test_every_precision_is_read_and_checked(saved: Path, kind: torch.dtype):
    def store(tensors: dict) -> dict:
        return {**tensors, "denoiser.conv_in.weight": tensors["denoiser.conv_in.weight"].to(kind)}

    def corrupt(tensors: dict) -> dict:
        weight = tensors["denoiser.conv_in.weight"].float()
        weight[0, 0, 0, 0] = torch.nan
        return {**tensors, "denoiser.conv_in.weight": weight.to(kind)}

    assert Bundle.open(rewrite(saved, change_tensors=store)).tensors("denoiser")["conv_in.weight"].dtype == kind
    with pytest.raises(IGRError, match="NaN or infinite values in denoiser"):
        Bundle.open(rewrite(saved, change_tensors=corrupt)).tensors("denoiser")


def test_tensor_names_that_only_the_nodes_read_are_reported(saved: Path):
    def rename(tensors: dict) -> dict:
        return {name.replace("denoiser.conv_in", "denoiser.input_blocks.0.0"): one for name, one in tensors.items()}

    bundle = Bundle.open(rewrite(saved, change_tensors=rename))
    with pytest.raises(
        IGRError,
        match="denoiser in .* uses Stable Diffusion's original tensor names.*export the bundle with diffusers'",
    ):
        bundle.check_fit(conv_in(4), "denoiser")


def test_fill_checks_every_part_before_it_loads_one(saved: Path):
    bundle, garmnet = Bundle.open(saved), conv_in(5)
    before = garmnet.conv_in.weight.clone()
    with pytest.raises(IGRError, match="The denoiser in .* does not match"):
        bundle.fill({"garmnet": garmnet, "denoiser": conv_in(5)})
    assert torch.equal(garmnet.conv_in.weight, before)
    denoiser = conv_in(4)
    bundle.fill({"garmnet": garmnet, "denoiser": denoiser})
    for module, part in ((garmnet, "garmnet"), (denoiser, "denoiser")):
        assert torch.equal(module.conv_in.weight, stub_parts()[part]["conv_in.weight"])


def test_missing_file_and_folder(tmp_path: Path):
    opening_fails(tmp_path / "none.safetensors", "does not exist")
    opening_fails(tmp_path, "is a folder: specify the .safetensors file")
    opening_fails(Path(os.devnull), "is not a file: choose a .safetensors file")


@pytest.mark.parametrize("keep", [0, 4, 9, 1000, -1])
def test_truncated(saved: Path, keep: int):
    saved.write_bytes(saved.read_bytes()[:keep])
    opening_fails(saved, "empty" if keep == 0 else "truncated", "again")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"PK\x03\x04" + bytes(50), "zip archive"),
        (b"\x80\x02ctorch" + bytes(50), "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"just some text, long enough", "not a safetensors file"),
    ],
)
def test_not_safetensors(tmp_path: Path, content: bytes, word: str):
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    opening_fails(path, word)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("model.diffusion_model.input_blocks.0.0.weight", "a full Stable Diffusion checkpoint"),
        ("lora_unet_down_blocks_0_attentions_0.lora_up.weight", "a LoRA"),
        ("unet.down_blocks.0.attentions.0.to_q.lora_A.weight", "a LoRA"),
        ("down_blocks.0.resnets.0.conv1.weight", "a plain diffusion UNet"),
        ("ip_adapter.1.to_k_ip.weight", "a plain IP-Adapter"),
        ("double_blocks.0.img_attn.qkv.weight", "a diffusion transformer"),
        ("something", "no IGR entry"),
    ],
)
def test_foreign_files(tmp_path: Path, key: str, kind: str):
    path = tmp_path / "foreign.safetensors"
    save_file({key: torch.zeros(2)}, path)
    opening_fails(path, "not an IGR bundle", kind, "models/igr")


def test_newer_format(saved: Path):
    rewrite(saved, lambda data: data | {"format_version": FORMAT_VERSION + 1})
    opening_fails(saved, f"format {FORMAT_VERSION + 1}", "update IGR")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda data: [1], "no format version"),
        (lambda data: data | {"format_version": True}, "no format version"),
        (lambda data: data | {"surprise": 1}, "unknown entries surprise"),
        (lambda data: {key: value for key, value in data.items() if key != "licence"}, "is missing licence"),
        (lambda data: data | {"model": data["model"] | {"prompt_tokens": "many"}}, "prompt_tokens"),
        (lambda data: data | {"model": data["model"] | {"prompt_tokens": 5}}, "prompts.empty is 3×32 instead of 5×32"),
        (lambda data: data | {"model": data["model"] | {"garmnet": None}}, "contains garmnet"),
        (lambda data: data | {"model": data["model"] | {"native_size": [4096, 4096]}}, "model.native_size[0] is 4096"),
        (lambda data: data | {"training": nested(100)}, "nested more than 64 levels deep"),
    ],
)
def test_headers_with_invalid_entries(saved: Path, change, word: str):
    opening_fails(rewrite(saved, change), word)


def test_header_that_is_not_json(saved: Path):
    _, tensors = header(saved)
    save_file({key: value.clone() for key, value in tensors.items()}, saved, metadata={METADATA_KEY: "{"})
    opening_fails(saved, "damaged header, which is not valid JSON")


@pytest.mark.parametrize(
    ("text", "words"), [("[" * 10**6, "nested too deeply"), ("1" * 5000, "a number with thousands of digits")]
)
def test_headers_that_no_parser_accepts(saved: Path, text: str, words: str):
    _, tensors = header(saved)
    save_file({key: value.clone() for key, value in tensors.items()}, saved, metadata={METADATA_KEY: text})
    opening_fails(saved, words)


def test_weights_that_are_integers_are_named(saved: Path):
    rewrite(saved, change_tensors=lambda tensors: tensors | {"vae.encoder.weight": torch.zeros(2, dtype=torch.long)})
    opening_fails(saved, "stores vae.encoder.weight as I64, which is not supported")


def test_config_larger_than_its_weights_is_reported_before_networks_are_built(saved: Path):
    wide = {"block_out_channels": [32, 16384]}
    rewrite(
        saved,
        lambda data: (
            data | {"model": data["model"] | {key: data["model"][key] | wide for key in ("denoiser", "garmnet")}}
        ),
    )
    bundle = Bundle.open(saved)
    with pytest.raises(IGRError, match=r"denoiser in .* has [\d,]+ weights, but its config needs at least 2[\d,]+:"):
        bundle.check_sizes()


@pytest.mark.parametrize("part", ["denoiser.", "garmnet.", "image_prompt.", "prompts.empty"])
def test_missing_part(saved: Path, part: str):
    rewrite(
        saved,
        change_tensors=lambda tensors: {key: value for key, value in tensors.items() if not key.startswith(part)},
    )
    opening_fails(saved, "is missing", part.rstrip("."))


def test_unknown_part(saved: Path):
    rewrite(saved, change_tensors=lambda tensors: tensors | {"text_encoder.weight": torch.zeros(1)})
    opening_fails(saved, "text_encoder")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_is_not_saved_and_the_earlier_file_stays(saved: Path, bad: float):
    before = saved.read_bytes()
    parts = stub_parts()
    parts["garmnet"]["conv_in.bias"][3] = bad
    with pytest.raises(IGRError, match="garmnet.conv_in.bias contains NaN or infinite"):
        save_bundle(saved, INFO, parts)
    assert saved.read_bytes() == before and os.listdir(saved.parent) == [saved.name]


SAVE_TO_FULL_DISK = """
import resource, sys
from pathlib import Path
from igr_core.model.bundle import save_bundle
from igr_core.errors import IGRError
from tests.support.models.tiny import INFO, stub_parts
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    save_bundle(Path(sys.argv[1]), INFO, stub_parts())
except IGRError as error:
    sys.stderr.write(str(error))
    sys.exit(7)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a system with file size limits")
def test_disk_full_keeps_the_earlier_file(saved: Path):
    before = saved.read_bytes()
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", SAVE_TO_FULL_DISK, str(saved)], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 7, result.stderr
    assert str(saved) in result.stderr and "free some space" in result.stderr
    assert saved.read_bytes() == before and os.listdir(saved.parent) == [saved.name]


def test_interrupted_save_leaves_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch):
    before = saved.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_bundle(saved, INFO, stub_parts())
    assert saved.read_bytes() == before and os.listdir(saved.parent) == [saved.name]


def test_describe_is_json_and_complete(saved: Path):
    facts = json.loads(json.dumps(describe(Bundle.open(saved))))
    assert facts["scores"] == {"ssim": 0.25} and facts["training"]["seeds"] == [1, 2]
    assert facts["model"]["native_size"] == [48, 64]
    parts = {part["part"]: part for part in facts["parts"]}
    assert set(parts) == {"denoiser", "garmnet", "image_prompt", "prompts"}
    assert parts["garmnet"]["parameters"] == 32 * 5 * 9 + 32
    assert parts["garmnet"]["dtypes"] == ["F32"]


def test_describe_shows_the_format_of_the_file_not_of_the_software(saved: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("igr_core.model.bundle.FORMAT_VERSION", FORMAT_VERSION + 1)
    assert describe(Bundle.open(saved))["format_version"] == FORMAT_VERSION
