"""The command `restore` with a tiny real bundle: files, folders, resuming, photos of all types."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.restore.restorer import GarmentRestorer
from tests.support.cli_kit import fails, files, restore, write_pair
from tests.support.models.tiny import INFO


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
    assert run("whole.png", "--precision", "fp32") != run("half.png", "--precision", "bf16")
    run("f.png", "--size", "64x80", "--transparent")
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.size == (64, 80) and picture.mode == "RGBA"


def test_reference_features_to_keep(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")

    def run(name: str, *more: object) -> bytes:
        assert restore(photo, mask, tmp_path / name, bundle, "--size", "128x192", *more).exit_code == 0
        return (tmp_path / name).read_bytes()

    near = run("a.png")
    assert run("b.png", "--keep-reference", "near") == near
    assert run("c.png", "--keep-reference", "all") != near


def test_the_flag_compile_compiles_the_model(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch):
    compiled: list[GarmentRestorer] = []
    monkeypatch.setattr(GarmentRestorer, "compile", lambda self: compiled.append(self))
    photo, mask = write_pair(tmp_path, "anna.png")
    assert restore(photo, mask, tmp_path / "a.png", bundle).exit_code == 0 and not compiled
    assert restore(photo, mask, tmp_path / "b.png", bundle, "--compile").exit_code == 0 and len(compiled) == 1


def test_folder_one_bad_photo_does_not_stop_the_rest(tmp_path: Path, bundle: Path):
    for name in ("anna.jpg", "bert.png", "carl.png", "dora.png"):
        write_pair(tmp_path, name)
    write_pair(tmp_path, "emil.png", mask_size=(50, 50))
    (tmp_path / "photos" / "bert.png").write_bytes(b"no picture")
    (tmp_path / "masks" / "carl.png").unlink()
    (tmp_path / "photos" / "readme.txt").write_text("not a photo")
    out = tmp_path / "out"
    result = restore(tmp_path / "photos", tmp_path / "masks", out, bundle)
    fails(
        result,
        1,
        "Failed: bert.png",
        "not a supported image",
        "Failed: carl.png: The photo has no mask: put carl.png into",
    )
    fails(result, 1, "Failed: emil.png", "resize the mask to 60×90")
    assert "2 restored, 3 failed" in result.stdout
    assert files(out) == ["anna.png", "dora.png"]


def test_folder_resumes_where_it_stopped(tmp_path: Path, bundle: Path):
    for name in ("anna.jpg", "bert.png"):
        write_pair(tmp_path, name)
    out = tmp_path / "out"
    out.mkdir()
    (out / "anna.png").write_bytes(b"already here")
    result = restore(tmp_path / "photos", tmp_path / "masks", out, bundle)
    assert result.exit_code == 0 and "1 restored, 1 already done, 0 failed" in result.stdout
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
    assert result.exit_code == 0 and "0 restored, 1 already done" in result.stdout


def test_a_run_with_nothing_left_says_how_to_restore_again(tmp_path: Path, stub: Path) -> None:
    photo, _ = write_pair(tmp_path, "anna.png")
    (tmp_path / "out").mkdir()
    shutil.copy(photo, tmp_path / "out")
    folders = (tmp_path / "photos", tmp_path / "masks", tmp_path / "out", stub)
    hint = "Note: all images exist already; use --overwrite to restore them again with these options."
    found = restore(*folders, "--seed", 5, category="lower").stderr
    assert hint in found.splitlines() and found.count("Note") == 1, found
    found = restore(*folders, "--transparent").stderr
    assert "use --overwrite to make it transparent" in found and found.count("Note") == 1, found
    write_pair(tmp_path, "bert.png")
    assert hint not in restore(*folders).stderr


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
    fails(result, 1, "Failed: anna.png", "overwrite the one for anna.jpg", "rename")
    assert files(tmp_path / "out") == ["anna.png"]


def test_notes_on_masks(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    Image.new("L", (60, 90), 255).save(mask)
    result = restore(photo, mask, tmp_path / "a.png", bundle)
    assert result.exit_code == 0 and "Note on anna.png: The mask covers the whole photo" in result.stderr


def test_photos_of_every_kind(tmp_path: Path, bundle: Path):
    """Photos from cameras, scanners and editors, tall or wide, are restored along with the others."""
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
