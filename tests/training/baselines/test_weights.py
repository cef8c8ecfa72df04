"""Published files: which are missing, their licences, and damaged schedules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler
from safetensors.torch import save_file

from igr_core.errors import IGRError
from igr_core.files import sha256
from tests.support.models.tiny_rivals import SCHEDULE, save_vae
from training.baselines import tryoffanyone, tryoffdiff, tryoffdiff_v2
from training.baselines.garment_masks import PARSER
from training.baselines.weights import find, hashes, load_scheduler, load_vae, terms

EVERY = {
    "tryoffdiff": tryoffdiff.FILES,
    "tryoffdiff_v2": tryoffdiff_v2.files("multi"),
    "tryoffanyone": (*tryoffanyone.FILES, *PARSER),
}


@pytest.mark.parametrize("name", EVERY)
def test_one_sentence_names_a_missing_file_its_address_and_licence(name: str, tmp_path: Path) -> None:
    first, *rest = EVERY[name]
    with pytest.raises(IGRError) as caught:
        find(tmp_path, EVERY[name])
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path / first.path} does not exist: download it from https://huggingface.co/")
    assert first.repository.licence in sentence and "Server Side Public License" in sentence
    assert all(file.path in sentence for file in rest) and "\n" not in sentence


def test_a_single_missing_file(tmp_path: Path, tryoffanyone_weights: Path) -> None:
    for file in tryoffanyone.FILES:
        if "RMBG" not in file.path:
            (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.path).write_bytes(b"")
    with pytest.raises(IGRError) as caught:
        find(tmp_path, tryoffanyone.FILES)
    sentence = str(caught.value)
    assert "RMBG-1.4/model.safetensors does not exist: download it from https://huggingface.co/briaai/RMBG" in sentence
    assert "non-commercial" in sentence and "also missing" not in sentence


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match=r"none is not a folder: specify the folder that contains tryoffdiff.pth"):
        find(tmp_path / "none", tryoffdiff.FILES)


def test_other_names_of_the_same_weights(tryoffanyone_weights: Path) -> None:
    found = find(tryoffanyone_weights, tryoffanyone.FILES)
    assert found[tryoffanyone.UNET].name == "diffusion_pytorch_model.bin"  # there is no float32 .safetensors file
    assert hashes(found)[tryoffanyone.CHECKPOINT.path] == sha256(tryoffanyone_weights / "model.safetensors")[:16]


def test_every_repository_has_its_licence() -> None:
    lines = terms([file for files in EVERY.values() for file in files])
    assert len(lines) == len(set(lines)) == 8
    assert any("rizavelioglu/tryoffdiff: Server Side Public License (SSPL)" in line for line in lines)


def test_a_damaged_schedule_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps(SCHEDULE | {"beta_schedule": "unknown"}))
    with pytest.raises(IGRError, match=r"scheduler_config.json does not describe a noise schedule"):
        load_scheduler(PNDMScheduler, path)
    path.write_text("{")
    with pytest.raises(IGRError, match="is not valid JSON"):
        load_scheduler(PNDMScheduler, path)


def test_the_published_schedule(tmp_path: Path) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps(SCHEDULE))
    assert load_scheduler(PNDMScheduler, path).config.skip_prk_steps
    ddim = load_scheduler(DDIMScheduler, path)
    assert (ddim.config.steps_offset, ddim.config.clip_sample, ddim.config.set_alpha_to_one) == (1, False, False)


def test_a_vae_in_half_precision_is_read_in_float32(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    save_vae(tmp_path / "vae")
    path = tmp_path / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    save_file({name: value.half() for name, value in tensors.items()}, path)
    vae = load_vae(path)
    assert vae.dtype == torch.float32 and vae.config.scaling_factor == 0.18215
    assert not any(one.is_meta for one in vae.parameters())
