"""The command line on a tiny real bundle: files, folders, resuming, every mistake as one sentence (DESIGN 9)."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from igr_core.bundle import METADATA_KEY, Bundle, save_bundle
from igr_core.cli import app
from igr_core.config import NoiseConfig
from igr_core.networks import build_image_encoder
from tests.igr_core.tiny import INFO, save_runnable, stub_parts

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle with random weights."""
    return save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors")


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A bundle that opens but has too little in it to run."""
    save_bundle(tmp_path / "stub.safetensors", INFO, stub_parts())
    return tmp_path / "stub.safetensors"


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


def test_one_photo(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.jpg")
    out = tmp_path / "new" / "anna.png"
    result = restore(photo, mask, out, bundle)
    assert result.exit_code == 0, result.output
    assert str(out) in result.stdout and files(out.parent) == ["anna.png"]
    with Image.open(out) as picture:
        assert picture.size == INFO.model.native_size and picture.mode == "RGB"


def test_seed_size_view_and_transparency(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")

    def run(name: str, *more: object) -> bytes:
        assert restore(photo, mask, tmp_path / name, bundle, *more).exit_code == 0
        return (tmp_path / name).read_bytes()

    first = run("a.png", "--seed", 3)
    assert run("b.png", "--seed", 3) == first
    assert run("c.png", "--seed", 4) != first
    assert run("d.png", "--seed", 3, "--view", "focused") != first
    assert run("e.png", "--seed", 3, "--guidance", 1) != first
    run("f.png", "--size", "64x80", "--transparent")
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.size == (64, 80) and picture.mode == "RGBA"


def test_folder_one_bad_photo_does_not_stop_the_rest(tmp_path: Path, bundle: Path):
    for name in ("anna.jpg", "bert.png", "carl.png", "dora.png"):
        write_pair(tmp_path, name)
    write_pair(tmp_path, "emil.png", mask_size=(50, 50))
    (tmp_path / "photos" / "bert.png").write_bytes(b"no picture")
    (tmp_path / "masks" / "carl.png").unlink()
    (tmp_path / "photos" / "readme.txt").write_text("not a photo")
    out = tmp_path / "out"
    result = restore(tmp_path / "photos", tmp_path / "masks", out, bundle)
    fails(result, 1, "Failed: bert.png", "not a picture", "Failed: carl.png: It has no mask: put carl.png into")
    fails(result, 1, "Failed: emil.png", "resize the mask to 60×90")
    assert "2 restored, 3 failed" in result.stdout
    assert files(out) == ["anna.png", "dora.png"]


def test_folder_goes_on_where_it_stopped(tmp_path: Path, bundle: Path):
    for name in ("anna.jpg", "bert.png"):
        write_pair(tmp_path, name)
    out = tmp_path / "out"
    out.mkdir()
    (out / "anna.png").write_bytes(b"already here")
    result = restore(tmp_path / "photos", tmp_path / "masks", out, bundle)
    assert result.exit_code == 0 and "1 restored, 1 already there, 0 failed" in result.stdout
    assert (out / "anna.png").read_bytes() == b"already here"
    alone = tmp_path / "alone.png"
    restore(tmp_path / "photos" / "bert.png", tmp_path / "masks" / "bert.png", alone, bundle)
    assert (out / "bert.png").read_bytes() == alone.read_bytes()
    result = restore(tmp_path / "photos", tmp_path / "masks", out, bundle, "--overwrite")
    assert result.exit_code == 0 and "2 restored" in result.stdout
    assert (out / "anna.png").read_bytes() != b"already here"


def test_a_finished_folder_loads_no_model(tmp_path: Path, stub: Path):
    write_pair(tmp_path, "anna.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "anna.png").write_bytes(b"already here")
    result = restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", stub)
    assert result.exit_code == 0 and "0 restored, 1 already there" in result.stdout


def test_categories_from_a_file(tmp_path: Path, bundle: Path):
    for name in ("anna.jpg", "bert.png", "carl.png", "dora.png"):
        write_pair(tmp_path, name)
    table = tmp_path / "categories.csv"
    table.write_text("name,category\nanna.jpg,lower\nbert, full\ncarl.png,coat\n", encoding="utf-8-sig")
    result = restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle, category=table)
    fails(result, 1, "carl.png", "'coat': choose upper, lower or full", "add the line dora.png,upper")
    assert files(tmp_path / "out") == ["anna.png", "bert.png"]
    alone = tmp_path / "alone.png"
    photo, mask = write_pair(tmp_path, "anna.jpg")
    assert restore(photo, mask, alone, bundle, category="lower").exit_code == 0
    assert alone.read_bytes() == (tmp_path / "out" / "anna.png").read_bytes()


def test_two_photos_of_one_name(tmp_path: Path, bundle: Path):
    write_pair(tmp_path, "anna.jpg")
    write_pair(tmp_path, "anna.png")
    result = restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle)
    fails(result, 1, "Failed: anna.png", "anna.jpg's result", "rename")
    assert files(tmp_path / "out") == ["anna.png"]


def test_notes_on_masks(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    Image.new("L", (60, 90), 255).save(mask)
    result = restore(photo, mask, tmp_path / "a.png", bundle)
    assert result.exit_code == 0 and "Note on anna.png: The mask covers everything" in result.stderr


def test_wrong_commands_are_told_before_anything_starts(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    photos, masks, out = photo.parent, mask.parent, tmp_path / "out.png"
    before = files(tmp_path), files(photos), files(masks)
    table = tmp_path / "none.csv"
    fails(restore(photo, mask, out, stub, category="dress"), 2, "'dress': choose upper, lower or full", ".csv")
    fails(restore(photo, mask, out, stub, category=table), 2, "none.csv cannot be read")
    fails(restore(tmp_path / "none.png", mask, out, stub), 2, "none.png is not there")
    fails(restore(photo, tmp_path / "none.png", out, stub), 2, "none.png is not there")
    fails(restore(photo, masks, out, stub), 2, "--mask must be a file too")
    fails(restore(photos, mask, out, stub), 2, "--mask must be a folder too")
    fails(restore(photo, photo, out, stub), 2, "name the mask")
    fails(restore(photo, mask, photo, stub), 2, "overwrite its own input")
    fails(restore(photos, masks, photos, stub), 2, "mix with its own input")
    fails(restore(photos, masks, photo, stub), 2, "--out must be a folder")
    fails(restore(photo, mask, tmp_path, stub), 2, "name the picture to write")
    fails(restore(photo, mask, tmp_path / "out.txt", stub), 2, "end the name in .png")
    fails(restore(photo, mask, tmp_path / "out.jpg", stub, "--transparent"), 2, "cannot hold transparency")
    fails(restore(photo, mask, out, stub, "--size", "50x60"), 2, "multiples of 16", "the nearest is 64x64")
    fails(restore(photo, mask, out, stub, "--size", "big"), 2, "such as 768x1024")
    for more in (("--steps", 0), ("--steps", 9999), ("--guidance", 0.5), ("--seed", -1), ("--view", "side")):
        assert restore(photo, mask, out, stub, *more).exit_code == 2
    assert (files(tmp_path), files(photos), files(masks)) == before


def test_more_steps_than_the_model_takes(tmp_path: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    short = dataclasses.replace(INFO.model, noise=NoiseConfig(train_steps=100))
    save_bundle(tmp_path / "short.safetensors", dataclasses.replace(INFO, model=short), stub_parts())
    result = restore(photo, mask, tmp_path / "out.png", tmp_path / "short.safetensors", "--steps", 60)
    fails(result, 2, "--steps: steps is 60; this model takes 1 to 50")


def test_missing_words_and_devices_and_folders_that_cannot_be(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    out = tmp_path / "out.png"
    fails(invoke("restore", photo, "--category", "upper", "--out", out), 2, "Missing option", "--mask")
    fails(invoke("restore", photo, "--category", "upper", "--mask", mask), 2, "Missing option", "--out")
    (tmp_path / "file").write_text("no folder")
    fails(restore(photo, mask, tmp_path / "file" / "out.png", stub), 1, "file cannot be made", "choose another folder")
    if not torch.cuda.is_available():
        fails(restore(photo, mask, out, stub, "--device", "cuda"), 2, "no CUDA GPU is found", "use --device cpu")
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"anna,upper\n", "must begin with the line name,category"), (b"\xff\xfe\x00", "cannot be read")],
)
def test_category_files_that_are_none(tmp_path: Path, stub: Path, content: bytes, word: str):
    photo, mask = write_pair(tmp_path, "anna.png")
    table = tmp_path / "categories.csv"
    table.write_bytes(content)
    fails(restore(photo, mask, tmp_path / "out.png", stub, category=table), 2, str(table), word)


def test_empty_folder(tmp_path: Path, stub: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    fails(restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", stub), 2, "has no pictures")


def test_bad_bundles(tmp_path: Path, stub: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    out = tmp_path / "out.png"
    fails(restore(photo, mask, out, tmp_path / "none.safetensors"), 1, "none.safetensors is not there")
    fails(restore(photo, mask, out, stub), 1, f"Error: {stub} carries no vae")
    (tmp_path / "half.safetensors").write_bytes(bundle.read_bytes()[:-100])
    fails(restore(photo, mask, out, tmp_path / "half.safetensors"), 1, "half.safetensors", "truncated")
    assert not out.exists()
    write_pair(tmp_path, "bert.png")
    result = restore(photo.parent, mask.parent, tmp_path / "all", stub)
    fails(result, 1, f"Error: {stub} carries no vae")
    assert "Failed" not in result.stderr and files(tmp_path / "all") == []


def test_foreign_newer_and_misfitting_bundles(tmp_path: Path, bundle: Path):
    """One sentence on one line, and no picture."""
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
        (newer, ("bundle format 99", "update the software")),
        (wrong, ("The image_encoder of", "does not fit its config: unexpected", "and 13 more; use an intact bundle")),
    ):
        result = restore(photo, mask, tmp_path / "out" / "anna.png", path)
        fails(result, 1, f"{path}", *words)
        assert "\n" not in result.stderr.strip() and files(tmp_path / "out") == []


def test_photos_of_every_kind(tmp_path: Path, bundle: Path):
    """Whatever a camera, a scanner or an editor saves, tall or wide, is restored beside the rest."""
    rng = np.random.default_rng(0)
    shapes = {"rgba": (90, 60, 4), "grey": (90, 60), "tall": (900, 30, 3), "wide": (30, 900, 3), "least": (16, 16, 3)}
    pictures = {name: Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)) for name, shape in shapes.items()}
    pictures["deep"] = Image.fromarray(rng.integers(0, 65535, (90, 60), dtype=np.uint16))
    pictures["palette"] = pictures["rgba"].convert("P")
    for name, picture in pictures.items():
        photo, mask = write_pair(tmp_path, f"{name}.png")
        picture.save(photo)
        width, height = picture.size
        painted = Image.new("L", picture.size)
        painted.paste(255, (width // 4, height // 4, width // 2, height // 2))
        painted.save(mask)
    result = restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle, "--steps", 1)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "out") == sorted(f"{name}.png" for name in pictures)
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as picture:
            assert picture.size == INFO.model.native_size and picture.mode == "RGB"


def test_bad_photo_is_told_before_the_model_loads(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    Image.new("L", (60, 90)).save(mask)
    out = tmp_path / "out.png"
    fails(restore(photo, mask, out, stub), 1, "anna.png", "is empty: paint the garment")
    Image.new("RGB", (1, 1)).save(photo)
    fails(restore(photo, mask, out, stub), 1, "anna.png is 1×1", "16×16")
    assert not out.exists()


INTERRUPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
import igr_core.batch
from igr_core.cli import app
save, count = igr_core.batch.save_image, 0
def save_then_interrupt(*arguments):
    global count
    save(*arguments)
    count += 1
    if count == 2:
        os.kill(os.getpid(), signal.SIGINT)
igr_core.batch.save_image = save_then_interrupt
app(sys.argv[1:])
"""


def test_ctrl_c_between_photos_keeps_what_is_done(tmp_path: Path, bundle: Path):
    for name in ("anna.png", "bert.png", "carl.png"):
        write_pair(tmp_path, name)
    words = ["restore", "photos", "--mask", "masks", "--out", "out", "--bundle", bundle, "--category", "upper"]
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPT, *map(str, words), "--steps", "1", "--device", "cpu"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 130, result.stderr
    assert "run the same command to go on" in result.stderr and "Traceback" not in result.stderr
    assert files(tmp_path / "out") == ["anna.png", "bert.png"]
    result = restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle)
    assert result.exit_code == 0 and "1 restored, 2 already there" in result.stdout


INTERRUPT_SAMPLING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
import igr_core.batch
from igr_core.cli import app
run_jobs = igr_core.batch.run_jobs
def run_and_interrupt(jobs, report, settings, restorer, on_step, on_photo):
    def step(done, total):
        on_step(done, total)
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)
    run_jobs(jobs, report, settings, restorer, step, on_photo)
igr_core.batch.run_jobs = run_and_interrupt
app(sys.argv[1:])
"""


@pytest.mark.parametrize("earlier", [None, b"an earlier picture"])
def test_ctrl_c_in_mid_sampling_leaves_no_file_and_keeps_an_earlier_one(
    tmp_path: Path, bundle: Path, earlier: bytes | None
):
    photo, mask = write_pair(tmp_path, "anna.png")
    out = tmp_path / "out" / "anna.png"
    if earlier is not None:
        out.parent.mkdir()
        out.write_bytes(earlier)
    words = ["restore", photo, "--mask", mask, "--out", out, "--bundle", bundle, "--category", "upper"]
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPT_SAMPLING, *map(str, words), "--steps", "4", "--device", "cpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 130, result.stderr
    assert "Stopped after 0 of 1" in result.stderr and "Traceback" not in result.stderr
    assert files(out.parent) == ([] if earlier is None else ["anna.png"])
    assert earlier is None or out.read_bytes() == earlier


FULL_DISK = """
import resource, sys
from igr_core.cli import app
resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))
app(sys.argv[1:])
"""


def test_full_disk_leaves_no_half_picture(tmp_path: Path, bundle: Path):
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


def test_inspect(stub: Path):
    result = invoke("inspect", stub)
    assert result.exit_code == 0
    for word in ("tiny", "garmnet", "Apache-2.0", "native_size", "48, 64", "ssim", "0.25", "beside it: not named"):
        assert word in result.stdout
    facts = json.loads(invoke("inspect", stub, "--json").stdout)
    assert facts["name"] == "tiny" and facts["scores"] == {"ssim": 0.25}
    fails(invoke("inspect", stub.with_name("none.safetensors")), 1, "none.safetensors is not there")


def test_help_comes_without_loading_torch():
    code = "import sys, igr_core.cli; sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    result = subprocess.run(
        [sys.executable, "-m", "igr_core", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and "restore" in result.stdout and "inspect" in result.stdout
