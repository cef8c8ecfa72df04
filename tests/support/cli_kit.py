"""Helpers shared by the tests of the command line: photos with masks, and running commands."""

import os
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from igr_core.cli.app import app


def write_pair(folder: Path, name: str, mask_size: tuple[int, int] = (60, 90)) -> tuple[Path, Path]:
    """A photo FOLDER/photos/NAME and its mask FOLDER/masks/STEM.png."""
    photo, mask = folder / "photos" / name, folder / "masks" / f"{Path(name).stem}.png"
    photo.parent.mkdir(exist_ok=True)
    mask.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (90, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photo)
    picture = Image.new("L", mask_size)
    picture.paste(255, (15, 20, 45, 60))
    picture.save(mask)
    return photo, mask


def invoke(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def restore(person: Path, mask: Path, out: Path, bundle: Path, *more: object, category: object = "upper"):
    paths = ("restore", person, "--mask", mask, "--out", out, "--bundle", bundle, "--category", category)
    return invoke(*paths, "--steps", 2, "--device", "cpu", *more)


def fails(result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []
