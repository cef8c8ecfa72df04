"""The command `mask` with a tiny real SAM 2: its output, and one sentence for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from igr_core.cli import mask as mask_command
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.overlay import overlay
from igr_core.segmentation.candidates import CHOICES, choose
from igr_core.segmentation.sam2_prompt import Prompt, prompt_from_mask
from igr_core.segmentation.segmenter import Segmenter
from tests.support.cli_kit import fails, files, invoke, write_pair
from tests.support.models.tiny_sam2 import save_sam2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sam2(tmp_path_factory.mktemp("sam2") / "tiny")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A 60×90 photo and a rough mask for it."""
    return write_pair(tmp_path, "anna.png")


def mask(person: Path, out: Path, folder: Path, *more: object, device: str = "cpu"):
    return invoke("mask", person, "--segmenter", folder, "--out", out, "--device", device, *more)


def candidates(folder: Path, person: Path, prompt: Prompt) -> tuple[Tensor, Tensor]:
    segmenter = Segmenter.from_folder(folder)
    return segmenter.masks(segmenter.embed(load_photo(person)), prompt)


def test_points_box_and_each_candidate(tmp_path: Path, folder: Path, pair: tuple[Path, Path]) -> None:
    person, out = pair[0], tmp_path / "new" / "mask.png"
    asked = ("--point", "30,40", "--point", " 20.5 ,70", "--not", "3,4", "--box", "10,20,50,80")
    prompt = Prompt(((30, 40), (20.5, 70)), ((3, 4),), (10, 20, 50, 80))
    found = candidates(folder, person, prompt)
    written = set()
    for which in CHOICES:
        result = mask(person, out, folder, *asked, "--candidate", which)
        assert result.exit_code == 0, result.output
        assert torch.equal(load_mask(out), choose(*found, which))
        share = f"{float(choose(*found, which).mean()):.1%} of the photo"
        assert f"Wrote {out} in" in result.stdout and share in result.stdout
        written.add(out.read_bytes())
    assert len(written) > 1 and files(out.parent) == ["mask.png"]
    assert get_args(mask_command.Candidate) == CHOICES
    with Image.open(out) as picture:
        assert picture.mode == "L" and picture.size == (60, 90)


def test_a_rough_mask_is_used_with_its_box_unless_there_are_marks(
    tmp_path: Path, folder: Path, pair: tuple[Path, Path]
) -> None:
    person, rough = pair
    drawn = load_mask(rough)
    alone = Prompt(box=prompt_from_mask(drawn).box, mask=drawn)
    for asked, prompt in (((), alone), (("--point", "30,40"), Prompt(positive=((30, 40),), mask=drawn))):
        result = mask(person, tmp_path / "mask.png", folder, "--rough", rough, *asked)
        assert result.exit_code == 0, result.output
        assert torch.equal(load_mask(tmp_path / "mask.png"), choose(*candidates(folder, person, prompt)))


def test_the_overlay_shows_the_photo_faded_beside_the_mask(
    tmp_path: Path, folder: Path, pair: tuple[Path, Path]
) -> None:
    out, shown = tmp_path / "mask.png", tmp_path / "shown" / "overlay.png"
    result = mask(pair[0], out, folder, "--point", "30,40", "--overlay", shown)
    assert result.exit_code == 0, result.output
    photo, found = load_photo(pair[0]), load_mask(out)
    assert (load_photo(shown) - overlay(photo, found)).abs().max() <= 0.5 / 255 + 1e-6
    inside = found.bool().expand_as(photo)
    assert inside.any() and not inside.all()
    assert (load_photo(shown) - photo)[inside].abs().max() < 1e-6 < (load_photo(shown) - photo)[~inside].abs().max()


def test_the_included_one_is_used_if_no_segmenter_is_named(
    tmp_path: Path, folder: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mask.png"
    words = ("mask", pair[0], "--out", out, "--point", "30,40", "--device", "cpu")
    monkeypatch.setattr(mask_command, "INCLUDED_SEGMENTER", tmp_path / "none")
    fails(invoke(*words), 2, "none does not exist: use --segmenter with a SAM 2 folder")
    monkeypatch.setattr(mask_command, "INCLUDED_SEGMENTER", folder)
    result = invoke(*words)
    assert result.exit_code == 0 and files(tmp_path) == ["mask.png", "masks", "photos"]
    assert "not trained on photos; for photos, use --segmenter" in result.stderr
    assert "not trained on photos" not in invoke(*words, "--segmenter", folder).stderr


def test_wrong_commands_are_reported_before_anything_starts(
    tmp_path: Path, folder: Path, pair: tuple[Path, Path]
) -> None:
    person, rough = pair
    out, before = tmp_path / "mask.png", (files(tmp_path), files(rough.parent), person.read_bytes())

    def wrong(*words: object, on: Path = person, to: Path = out) -> str:
        result = mask(on, to, folder / "never", *words)
        fails(result, 2)
        assert "\n" not in result.stderr.strip()
        return result.stderr

    assert "The garment is not marked: use --point X,Y" in wrong()
    assert "The garment is not marked" in wrong("--not", "3,4")
    for given in ("3", "3,4,5", "a,b", "3,nan", ""):
        assert f"--point {given!r} is not valid: use X,Y" in wrong("--point", given)
    assert "--not '3;4' is not valid" in wrong("--point", "3,4", "--not", "3;4")
    assert "--box '1,2,3' is not valid: use LEFT,TOP,RIGHT,BOTTOM" in wrong("--box", "1,2,3")
    assert "There are 51 points: use at most 50" in wrong(*("--point", "3,4") * 50, "--not", "3,4")
    assert "The point (61, 4) is outside the 60×90 photo" in wrong("--point", "61,4")
    assert "The point (-1, 4) is outside" in wrong("--point", "3,4", "--not", "-1,4")
    assert "The box (10, 20, 70, 80) is empty or outside" in wrong("--box", "10,20,70,80")
    for given in ("10,20,10,80", "0.31,0.27,0.80,0.74"):
        assert "is less than 2 pixels wide or high: specify its left, top" in wrong("--box", given)
    for given in ("31%,27%,80%,74%", "x:1,y:2,w:30,h:40"):
        assert f"--box {given!r} is not valid" in wrong("--box", given)
    marked = ("--point", "3,4")
    assert "none.png does not exist" in wrong(*marked, on=tmp_path / "none.png")
    assert "is a folder: specify an image file" in wrong(*marked, on=person.parent)
    assert "none.png does not exist" in wrong("--rough", tmp_path / "none.png")
    assert "itself: specify a mask" in wrong("--rough", person)
    assert "is a folder: specify the file to write" in wrong(*marked, to=tmp_path)
    assert "use the extension .png" in wrong(*marked, to=tmp_path / "mask.txt")
    assert "--out" in (said := wrong(*marked, to=person)) and "overwrite an input" in said
    assert "--overlay" in (said := wrong("--rough", rough, "--overlay", rough)) and "overwrite an input" in said
    hidden = tmp_path / "gone" / ".."  # through a folder that does not exist
    assert "overwrite an input" in wrong("--rough", rough, to=rough.parent / "gone" / ".." / rough.name)
    assert "overwrite an input" in wrong("--rough", rough, "--overlay", hidden / "photos" / person.name)
    assert "choose different names" in wrong(*marked, "--overlay", out)
    assert "choose different names" in wrong(*marked, "--overlay", hidden / "mask.png")
    assert "also the folder that contains the other" in wrong(*marked, "--overlay", out / "shown.png")
    assert mask(person, out, folder, *marked, "--candidate", "worst").exit_code == 2
    if not torch.cuda.is_available():
        fails(
            invoke("mask", person, "--segmenter", folder, "--out", out, *marked, "--device", "cuda"), 2, "no CUDA GPU"
        )
    assert (files(tmp_path), files(rough.parent), person.read_bytes()) == before


def test_photos_masks_and_models_that_cannot_be_used(tmp_path: Path, folder: Path, pair: tuple[Path, Path]) -> None:
    person, rough = pair
    out = tmp_path / "mask.png"
    fails(mask(person, out, tmp_path / "none.safetensors", "--point", "3,4"), 1, "none.safetensors does not exist")
    fails(mask(person, out, person.parent, "--point", "3,4"), 1, "photos is not a SAM 2 folder")
    fails(mask(person, out, person, "--point", "3,4"), 1, "anna.png cannot be read as SAM 2", "not a safetensors file")
    blind = save_sam2(tmp_path / "blind", sees_nothing=True)
    fails(mask(person, out, blind, "--point", "3,4"), 1, "Nothing was found there")
    Image.new("L", (60, 90)).save(rough)
    fails(mask(person, out, folder, "--rough", rough), 1, "anna.png with rough mask", "empty: paint the garment")
    Image.fromarray(np.full((45, 30), 255, np.uint8)).save(rough)
    fails(mask(person, out, folder, "--rough", rough), 1, "resize the mask to 60×90")
    person.write_bytes(b"no picture")
    fails(mask(person, out, folder, "--point", "3,4"), 1, "anna.png is not a supported image")
    assert not out.exists()


def test_an_earlier_mask_is_replaced(tmp_path: Path, folder: Path, pair: tuple[Path, Path]) -> None:
    """As for a single photo in restore."""
    out = tmp_path / "mask.png"
    out.write_bytes(b"an earlier mask")
    assert mask(pair[0], out, folder, "--point", "30,40").exit_code == 0
    assert load_mask(out).shape == (1, 1, 90, 60)
