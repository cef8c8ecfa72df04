"""Every mistake on the command line is reported in one sentence before any long computation."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from igr_core.model.bundle import METADATA_KEY, Bundle, save_bundle
from igr_core.model.config import NoiseConfig
from igr_core.model.networks import build_image_encoder
from tests.support.cli_kit import fails, files, invoke, restore, write_pair
from tests.support.models.tiny import INFO, stub_parts

ROOT = Path(__file__).parents[3]


def test_wrong_commands_are_reported_before_anything_starts(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    photos, masks, out = photo.parent, mask.parent, tmp_path / "out.png"
    before = files(tmp_path), files(photos), files(masks)
    table = tmp_path / "none.csv"
    fails(restore(photo, mask, out, stub, category="dress"), 2, "'dress': choose upper, lower or full", ".csv")
    fails(restore(photo, mask, out, stub, category=table), 2, "none.csv does not exist")
    fails(restore(tmp_path / "none.png", mask, out, stub), 2, "none.png does not exist")
    fails(restore(photo, tmp_path / "none.png", out, stub), 2, "none.png does not exist")
    fails(restore(photo, masks, out, stub), 2, "--mask must be a file too")
    fails(restore(photos, mask, out, stub), 2, "--mask must be a folder too")
    fails(restore(photo, photo, out, stub), 2, "specify a mask")
    fails(restore(photo, mask, photo, stub), 2, "overwrite an input")
    fails(restore(photos, masks, photos, stub), 2, "is an input folder")
    fails(restore(photos, masks, photo, stub), 2, "--out must be a folder")
    fails(restore(photo, mask, tmp_path, stub), 2, "specify the file to write")
    fails(restore(photo, mask, tmp_path / "out.txt", stub), 2, "use the extension .png")
    fails(restore(photo, mask, tmp_path / "out.jpg", stub, "--transparent"), 2, "does not support transparency")
    fails(restore(photo, mask, out, stub, "--size", "50x60"), 2, "multiples of 16", "the nearest is 64x80")
    fails(restore(photo, mask, out, stub, "--size", "big"), 2, "such as 768x1024")
    for more in (("--steps", 0), ("--steps", 9999), ("--guidance", 0.5), ("--seed", -1), ("--view", "side")):
        assert restore(photo, mask, out, stub, *more).exit_code == 2
    late = restore(photo, mask, out, stub, "--guidance-start", 0.7, "--guidance-end", 0.2)
    fails(late, 2, "--guidance-start 0.7 is after --guidance-end 0.2: choose an earlier start or a later end.")
    fails(restore(photo, mask, out, stub, "--precision", "fp16", "--device", "cpu"), 2, "use bf16, fp32 or auto")
    assert (files(tmp_path), files(photos), files(masks)) == before


def test_more_steps_than_the_model_takes(tmp_path: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    short = dataclasses.replace(INFO.model, noise=NoiseConfig(train_steps=100))
    save_bundle(tmp_path / "short.safetensors", dataclasses.replace(INFO, model=short), stub_parts())
    result = restore(photo, mask, tmp_path / "out.png", tmp_path / "short.safetensors", "--steps", 60)
    fails(result, 2, "--steps: steps is 60: choose 1 to 50")


def test_missing_arguments_and_invalid_devices_and_folders(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    out = tmp_path / "out.png"
    fails(invoke("restore", photo, "--category", "upper", "--out", out), 2, "Missing option", "--mask")
    fails(invoke("restore", photo, "--category", "upper", "--mask", mask), 2, "Missing option", "--out")
    (tmp_path / "file").write_text("no folder")
    fails(restore(photo, mask, tmp_path / "file" / "out.png", stub), 1, "must be a folder", "choose another folder")
    if not torch.cuda.is_available():
        fails(restore(photo, mask, out, stub, "--device", "cuda"), 2, "no CUDA GPU was found", "use --device cpu")
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"anna,upper\n", "must be name,category"), (b"\xff\xfe\x00", "is not a UTF-8 text file")],
)
def test_files_that_are_not_category_files(tmp_path: Path, stub: Path, content: bytes, word: str):
    photo, mask = write_pair(tmp_path, "anna.png")
    table = tmp_path / "categories.csv"
    table.write_bytes(content)
    fails(restore(photo, mask, tmp_path / "out.png", stub, category=table), 2, str(table), word)


def test_the_folder_of_photos_is_no_folder_of_masks(tmp_path: Path, stub: Path):
    write_pair(tmp_path, "anna.png")
    result = restore(tmp_path / "photos", tmp_path / "photos", tmp_path / "out", stub)
    fails(result, 2, "--mask is the photo folder", "itself: put the masks into a separate folder")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
@pytest.mark.parametrize("words", [["inspect"], ["inspect", "--json"]])
def test_a_full_disk_behind_stdout_is_one_sentence(words: list[str], stub: Path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "igr_core", *words, stub], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The output cannot be printed (No space left on device): check the disk")
    assert "Traceback" not in done.stderr


def test_empty_folder(tmp_path: Path, stub: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    fails(restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", stub), 2, "has no images")


def test_bad_bundles(tmp_path: Path, stub: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    out = tmp_path / "out.png"
    fails(restore(photo, mask, out, tmp_path / "none.safetensors"), 1, "none.safetensors does not exist")
    fails(restore(photo, mask, out, stub), 1, f"Error: {stub} has no vae")
    (tmp_path / "half.safetensors").write_bytes(bundle.read_bytes()[:-100])
    fails(restore(photo, mask, out, tmp_path / "half.safetensors"), 1, "half.safetensors", "truncated")
    assert not out.exists()
    write_pair(tmp_path, "bert.png")
    result = restore(photo.parent, mask.parent, tmp_path / "all", stub)
    fails(result, 1, f"Error: {stub} has no vae")
    assert "Failed" not in result.stderr and files(tmp_path / "all") == []


def test_foreign_newer_and_misfitting_bundles(tmp_path: Path, bundle: Path):
    """The error is one sentence on one line, and no image is written."""
    photo, mask = write_pair(tmp_path, "anna.png")
    foreign, newer, wrong = (tmp_path / f"{name}.safetensors" for name in ("foreign", "newer", "wrong"))
    save_file({"down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight": torch.zeros(2)}, foreign)
    save_file({"x": torch.zeros(2)}, newer, metadata={METADATA_KEY: json.dumps({"format_version": 99})})
    whole = Bundle.open(bundle)
    parts = {row["part"]: whole.tensors(row["part"]) for row in whole.summary()}
    deeper = dataclasses.replace(INFO.model.image_encoder, num_hidden_layers=2)
    save_bundle(wrong, INFO, parts | {"image_encoder": build_image_encoder(deeper).state_dict()})
    for path, words in (
        (foreign, ("is not an IGR bundle", "a plain diffusion UNet")),
        (newer, ("bundle format 99", "update IGR")),
        (wrong, ("The image_encoder in", "does not match its config: unexpected", "and 13 more; use an intact bundle")),
    ):
        result = restore(photo, mask, tmp_path / "out" / "anna.png", path)
        fails(result, 1, f"{path}", *words)
        assert "\n" not in result.stderr.strip() and files(tmp_path / "out") == []


def test_bad_photo_is_reported_before_the_model_loads(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    Image.new("L", (60, 90)).save(mask)
    out = tmp_path / "out.png"
    fails(restore(photo, mask, out, stub), 1, "anna.png", "is empty: paint the garment")
    Image.new("RGB", (1, 1)).save(photo)
    fails(restore(photo, mask, out, stub), 1, "anna.png is 1×1", "16×16")
    assert not out.exists()


FULL_DISK = """
import resource, sys
from igr_core.cli.app import app
resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))
app(sys.argv[1:])
"""


def test_full_disk_leaves_no_half_image(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    out = tmp_path / "out" / "anna.png"
    words = ["restore", photo, "--mask", mask, "--out", out, "--bundle", bundle, "--category", "upper"]
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *map(str, words), "--steps", "1", "--device", "cpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert f"Could not write {out}" in result.stderr and "free some space" in result.stderr
    assert files(out.parent) == []


@pytest.mark.parametrize("option", ["person", "mask", "bundle", "category", "out"])
def test_a_name_of_300_characters_is_one_sentence(tmp_path: Path, stub: Path, option: str):
    photo, mask = write_pair(tmp_path, "anna.png")
    long = tmp_path / ("x" * 300 + ".csv")
    given = {"person": photo, "mask": mask, "out": tmp_path / "out.png", "bundle": stub, "category": "upper"}
    given |= {option: long.with_suffix(".png") if option == "out" else long}
    result = restore(given["person"], given["mask"], given["out"], given["bundle"], category=given["category"])
    assert result.exit_code in (1, 2) and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert result.stderr.startswith("Error: ") and not (tmp_path / "out.png").exists()


def test_outputs_that_cannot_be_written_are_reported_before_the_model_loads(tmp_path: Path, stub: Path):
    """The stub cannot be loaded, so an error that names an output comes first."""
    photo, mask = write_pair(tmp_path, "anna.png")
    for name in ("candidates", "set-aside"):
        (tmp_path / name).write_text("a file")
    for option, name in (("--candidates", "candidates"), ("--min-evidence", "set-aside")):
        result = restore(photo, mask, tmp_path / "o.png", stub, option, 2 if option == "--candidates" else 1)
        fails(result, 1, f"{tmp_path / name} is a file, but must be a folder")
        (tmp_path / name).unlink()
        (tmp_path / name / "o.png").mkdir(parents=True)
        result = restore(photo, mask, tmp_path / "o.png", stub, option, 2 if option == "--candidates" else 1)
        fails(result, 1, f"{tmp_path / name / 'o.png'} is a folder: rename or remove it")
    assert not (tmp_path / "o.png").exists()
    fails(restore(photo, mask, tmp_path / "o.png", stub), 1, "has no vae")  # neither folder is used


def test_a_folder_in_place_of_an_image_is_not_taken_for_a_finished_one(tmp_path: Path, bundle: Path):
    write_pair(tmp_path, "anna.png")
    write_pair(tmp_path, "bert.png")
    out = tmp_path / "out"
    (out / "anna.png").mkdir(parents=True)
    (out / "set-aside" / "bert.png").mkdir(parents=True)
    result = restore(tmp_path / "photos", tmp_path / "masks", out, bundle)
    fails(result, 1, f"Failed: anna.png: {out / 'anna.png'} is a folder: rename or remove it.")
    assert result.stdout.startswith("1 restored, 1 failed") and (out / "bert.png").is_file()


def test_line_breaks_in_names_forge_no_line(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    forged = tmp_path / "t\nError: all fine.png"
    forged.write_bytes(photo.read_bytes()[:200])
    named = tmp_path / "named.safetensors"
    info = dataclasses.replace(INFO, name="x\x1b[2Jy\nz", model=dataclasses.replace(INFO.model, garmnet=None))
    parts = stub_parts()
    del parts["garmnet"]
    save_bundle(named, info, parts)
    for result in (
        restore(forged, mask, tmp_path / "o.png", stub),
        restore(photo, mask, tmp_path / "o.png", named, "--evidence", tmp_path / "e.png"),
        restore(tmp_path / "no\nError: fine.png", mask, tmp_path / "o.png", stub),
        invoke("inspect", tmp_path / "no\nError: fine.safetensors"),
        invoke("mask", tmp_path / "no\nError: fine.png", "--point", "1,1", "--out", tmp_path / "o.png"),
    ):
        assert result.exit_code in (1, 2) and "\x1b" not in result.stderr
        lines = [line for line in result.stderr.splitlines() if line and not line.startswith("Note: the included")]
        assert len(lines) == 1


def test_a_device_without_numbers_is_refused_before_the_model_loads(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    fails(restore(photo, mask, tmp_path / "o.png", stub, "--device", "meta"), 2, "--device meta cannot be used")
