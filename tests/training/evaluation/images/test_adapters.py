"""Reproducing and undoing the changes that other methods' code makes to an image."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from igr_core.errors import IGRError
from training.evaluation.images.adapters import adapted, unstretched, without_padding


def garment(size: tuple[int, int]) -> Image.Image:
    """A smooth, asymmetric garment on white, so that resizing changes little and a shift changes a lot."""
    width, height = size
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0.15 * width, 0.1 * height, 0.8 * width, 0.7 * height), (180, 30, 40))
    draw.ellipse((0.2 * width, 0.2 * height, 0.5 * width, 0.4 * height), (20, 60, 200))
    return picture.filter(ImageFilter.GaussianBlur(width / 40))


def padded(picture: Image.Image) -> Image.Image:
    """Pad like TryOffDiff, with the smaller half of the padding on the left or at the top."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square.resize((512, 512), Image.Resampling.BICUBIC)


def furthest(one: Image.Image, other: Image.Image) -> int:
    assert one.size == other.size and one.mode == other.mode == "RGB"
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


@pytest.mark.parametrize("size", [(768, 1024), (192, 256), (701, 1024), (600, 333), (400, 400)])
def test_undoing_padding_restores_the_image(size: tuple[int, int]) -> None:
    truth = garment(size)
    found = without_padding(padded(truth), size)
    assert furthest(found, truth) <= 6
    assert (
        furthest(found, truth.transform(size, Image.Transform.AFFINE, (1, 0, 3, 0, 1, 0))) > 12
    )  # a shift is detected


def test_padding_is_cropped_before_it_can_bleed_in() -> None:
    picture = Image.new("RGB", (384, 512), (10, 20, 30))
    found = without_padding(ImageOps.expand(picture, (64, 0), "white"), (768, 1024))
    assert found.size == (768, 1024) and found.getextrema() == ((10, 10), (20, 20), (30, 30))


@pytest.mark.parametrize("size", [(768, 1024), (500, 500)])
def test_undoing_stretching_restores_the_image(size: tuple[int, int]) -> None:
    truth = garment(size)
    found = unstretched(truth.resize((384, 512), Image.Resampling.BICUBIC), size)
    assert furthest(found, truth) <= 6


def test_alpha_left_over_by_tryoffanyone_is_dropped_as_its_own_evaluation_does() -> None:
    cut = garment((384, 512))
    cut.putalpha(Image.linear_gradient("L").resize((384, 512)))
    background = Image.new("RGBA", (384, 512), (255, 255, 255))
    background.paste(cut, (0, 0), mask=cut)
    assert np.asarray(background)[..., 3].min() < 255  # the image has an alpha channel
    assert furthest(unstretched(background, (384, 512)), background.convert("RGB")) == 0


def test_a_transparent_cutout_comes_on_white() -> None:
    cut = Image.new("RGBA", (384, 512), (0, 0, 0, 0))
    assert unstretched(cut, (768, 1024)).getextrema() == ((255, 255),) * 3
    assert without_padding(cut.resize((64, 64)), (48, 64)).getextrema() == ((255, 255),) * 3


def test_files_that_cannot_be_adapted_are_named(tmp_path: Path) -> None:
    garment((384, 512)).save(tmp_path / "tall.png")
    garment((512, 512)).save(tmp_path / "square.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "square.png").read_bytes()[:400])
    tall, square, broken = (tmp_path / f"{name}.png" for name in ("tall", "square", "broken"))
    cases = {
        (tall, "tryoffdiff", square): f"{tall} is 384x512, but TryOffDiff writes squares: score the file unchanged if "
        "its padding has already been cropped.",
        (square, "tryoffanyone", tall): f"{square} is 512x512, but TryOffAnyone writes 384x512: check that "
        "TryOffAnyone wrote it.",
    }
    for (path, method, reference), sentence in cases.items():
        with pytest.raises(IGRError) as caught:
            adapted(path, method, reference)
        assert str(caught.value) == sentence
    for path, reference in ((broken, tall), (square, broken), (square, tmp_path / "none.png")):
        bad = path if path == broken else reference
        reason = "does not exist" if bad.name == "none.png" else "is truncated or damaged"
        with pytest.raises(IGRError, match=rf"^{re.escape(str(bad))} {reason}"):
            adapted(path, "tryoffdiff", reference)
    assert adapted(square, "tryoffdiff", tall).size == (384, 512)
