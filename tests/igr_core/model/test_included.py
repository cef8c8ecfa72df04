"""The included bundle: its contents, and that it accepts a photo unlike its training data."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from igr_core.cli.app import app
from igr_core.included import INCLUDED_BUNDLE
from igr_core.model.bundle import Bundle
from igr_core.model.igr import IGR
from igr_core.model.networks import build_image_encoder, build_vae
from training.evaluation.images.demo import astronaut

MAX_BYTES = 40_000_000


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open(INCLUDED_BUNDLE)


def test_it_is_small(bundle: Bundle) -> None:
    assert bundle.path.stat().st_size <= MAX_BYTES


def test_it_says_which_commits_trained_it(bundle: Bundle) -> None:
    commits = [commit for _, commit in bundle.info.training["revisions"]]
    assert commits
    for commit in commits:
        assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{commit} is no full, clean commit"


def test_every_part_fits_its_config(bundle: Bundle) -> None:
    config = bundle.info.model
    with torch.device("meta"):
        model = IGR(config)
        vae, image_encoder = build_vae(config.vae), build_image_encoder(config.image_encoder)
    parts: dict[str, nn.Module | None] = {
        "denoiser": model.denoiser,
        "garmnet": model.garmnet,
        "image_prompt": model.image_prompt,
        "prompts": model.prompts,
        "vae": vae,
        "image_encoder": image_encoder,
    }
    for part, module in parts.items():
        assert module is not None, f"it has a {part}"
        bundle.check_fit(module, part)


@pytest.mark.parametrize("more", [(), ("--transparent",)])
def test_a_real_photo_is_restored(bundle: Bundle, tmp_path: Path, more: tuple[str, ...]) -> None:
    photo, mask, out = tmp_path / "astronaut.png", tmp_path / "mask.png", tmp_path / "suit.png"
    subject = astronaut()
    subject.person.save(photo)
    subject.mask.save(mask)
    words = ["restore", photo, "--mask", mask, "--out", out, "--category", "upper", "--steps", 4, "--device", "cpu"]
    result = CliRunner().invoke(app, [*map(str, words), *more], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with Image.open(out) as garment:
        assert garment.size == bundle.info.model.native_size
        assert garment.mode == ("RGBA" if more else "RGB")
        pixels = np.asarray(garment.convert("RGB"), dtype=np.float32) / 255
    assert pixels.std() > 0.02, "the picture is blank"
