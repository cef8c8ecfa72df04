"""Folders of images: pairing by name, a sentence for each mismatched file, and a hash of what was scored."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from igr_core.photo.image_files import MAX_PIXELS
from training.evaluation.images.folders import faults, image_list, images_in, named_like, pair_up, read_picture

RED = (200, 10, 20)


def save(path: Path, size: tuple[int, int] = (48, 64), mode: str = "RGB", colour: object = RED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)  # type: ignore[arg-type]
    return path


def noisy(path: Path, size: tuple[int, int] = (48, 64)) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def header(path: Path, width: int, height: int) -> Path:
    """A PNG of this size without pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    shape = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", shape) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return path


def test_images_are_listed_by_stem_in_order_and_other_files_are_skipped(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.d.webp"):
        save(tmp_path / name)
    for name in (".hidden.png", "notes.txt", "list.csv"):
        (tmp_path / name).write_text("no picture")
    assert list(images_in(tmp_path)) == ["a", "b", "c.d"]


def test_a_missing_folder_an_empty_folder_and_two_images_of_one_stem_are_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="nowhere is not a folder"):
        images_in(tmp_path / "nowhere")
    with pytest.raises(IGRError, match="contains no images"):
        images_in(tmp_path)
    save(tmp_path / "a.png")
    save(tmp_path / "a.jpg")
    with pytest.raises(IGRError, match=r"a\.png and a\.jpg have the same name"):
        images_in(tmp_path)


def test_every_missing_and_every_extra_picture_is_named(tmp_path: Path) -> None:
    ours = {name: Path(f"{name}.png") for name in ("both", "extra 1", "extra 2")}
    theirs = {name: Path(f"{name}.jpg") for name in ("lacks", "both")}
    names, problems = pair_up(ours, theirs)
    assert names == ["both"]
    assert problems == [
        "lacks: there is no generated image",
        "extra 1.png: there is no reference",
        "extra 2.png: there is no reference",
    ]


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("L", ".png"), ("1", ".png"), ("LA", ".png"), ("I;16", ".png"), ("I;16B", ".tif"), ("F", ".tif"), ("I", ".tif")],
)
def test_grey_images_are_reported(mode: str, suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"a{suffix}", mode=mode, colour=0 if mode != "LA" else (0, 255))
    assert f"a{suffix}: is grey ({mode}" in faults({"a": path})["a"]


@pytest.mark.parametrize(
    ("mode", "suffix", "colour"),
    [("RGB", ".png", RED), ("RGBA", ".png", (*RED, 9)), ("P", ".png", 3), ("CMYK", ".jpg", (1, 2, 3, 4))],
)
def test_images_in_colour_are_accepted(mode: str, suffix: str, colour: object, tmp_path: Path) -> None:
    assert not faults({"a": save(tmp_path / f"a{suffix}", mode=mode, colour=colour)})


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_truncated_files_are_named(suffix: str, share: float, tmp_path: Path) -> None:
    path = noisy(tmp_path / f"a{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert re.match(
        rf"a\{suffix}: (is truncated|is not a supported image|has a damaged header)", faults({"a": path})["a"]
    )
    with pytest.raises(IGRError, match=rf"a\{suffix} (is truncated|is not a supported image|has a damaged header)"):
        read_picture(path)


def test_a_file_of_another_kind_and_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("<html>not found</html>")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path / "good.png")
    found = faults(images_in(tmp_path))
    assert set(found) == {"text", "folder"}
    assert found["text"].startswith("text.png: is not a supported image")
    assert found["folder"].startswith("folder.png: is not a file")


@pytest.mark.parametrize("sides", [(12_000, 12_000), (30_000, 30_000)], ids=["above ours", "above Pillow's"])
def test_images_too_large_to_decode_are_reported_without_decoding_them(sides: tuple[int, int], tmp_path: Path) -> None:
    found = faults({"a": header(tmp_path / "a.png", *sides)})
    assert found["a"].startswith(f"a.png: has more than {MAX_PIXELS // 1_000_000} megapixels")


def test_images_too_small_for_the_networks_are_reported(tmp_path: Path) -> None:
    assert faults({"a": save(tmp_path / "a.png", (31, 64))}) == {
        "a": "a.png: is 31x64, smaller than 32 pixels: save a larger image"
    }


@pytest.mark.parametrize(
    ("size", "fits"), [((96, 128), True), ((47, 63), True), ((64, 64), False), ((48, 68), False), ((64, 48), False)]
)
def test_another_shape_than_the_references_is_named_and_another_size_is_not(
    size: tuple[int, int], fits: bool, tmp_path: Path
) -> None:
    ours, theirs = {"a": save(tmp_path / "ours" / "a.png", size)}, {"a": save(tmp_path / "a.png", (48, 64))}
    found = faults(ours, theirs)
    assert bool(found) is not fits
    if not fits:
        assert f"a.png: is {size[0]}x{size[1]}, but its reference is 48x64, a different shape" in found["a"]


def test_an_unreadable_reference_is_the_references_fault_alone(tmp_path: Path) -> None:
    ours, theirs = {"a": save(tmp_path / "ours" / "a.png")}, {"a": tmp_path / "a.png"}
    theirs["a"].write_bytes(b"")
    assert not faults(ours, theirs) and set(faults(theirs)) == {"a"}


def test_transparency_is_white_and_half_of_it_half_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (40, 40), (*RED, 0))
    picture.paste((*RED, 255), (0, 0, 20, 40))
    picture.paste((0, 0, 0, 128), (20, 20, 40, 40))
    picture.save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png")
    assert read.shape == (3, 40, 40)
    assert read[:, 5, 5].tolist() == list(RED)
    assert read[:, 5, 30].tolist() == [255, 255, 255]
    assert read[:, 30, 30].tolist() == [127, 127, 127]


def test_a_palettes_transparent_colour_is_white(tmp_path: Path) -> None:
    picture = Image.new("P", (40, 40), 0)
    picture.putpalette([*RED, 0, 0, 255])
    picture.paste(1, (0, 0, 20, 40))
    picture.save(tmp_path / "a.png", transparency=0)
    read = read_picture(tmp_path / "a.png")
    assert read[:, 5, 5].tolist() == [0, 0, 255] and read[:, 5, 30].tolist() == [255, 255, 255]


def test_reading_resizes_by_pillows_bicubic_alone_and_only_where_it_must(tmp_path: Path) -> None:
    path = noisy(tmp_path / "a.png")
    with Image.open(path) as picture:
        smaller = np.array(picture.resize((24, 32), Image.Resampling.BICUBIC))
        same = np.array(picture)
    assert (read_picture(path, (24, 32)).permute(1, 2, 0).numpy() == smaller).all()
    assert (read_picture(path, (48, 64)).permute(1, 2, 0).numpy() == same).all()


def _recolour(folder: Path) -> None:
    save(folder / "b.png", colour=(201, 10, 20))


def _rename(folder: Path) -> None:
    (folder / "b.png").rename(folder / "c.png")


def _swap(folder: Path) -> None:
    (folder / "a.png").rename(folder / "x")
    (folder / "b.png").rename(folder / "a.png")
    (folder / "x").rename(folder / "b.png")


def _remove(folder: Path) -> None:
    (folder / "b.png").unlink()


@pytest.mark.parametrize("change", [_recolour, _rename, _swap, _remove])
def test_the_hash_changes_with_contents_names_and_count(change: Callable[[Path], None], tmp_path: Path) -> None:
    save(tmp_path / "a.png", colour=(1, 2, 3))
    save(tmp_path / "b.png")
    before = image_list(list(images_in(tmp_path).values()))
    assert before == image_list(list(images_in(tmp_path).values()))
    change(tmp_path)
    assert before.sha256 != image_list(list(images_in(tmp_path).values())).sha256


def test_a_list_contains_folder_count_formats_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    for name, size in (("a.png", (48, 64)), ("b.jpg", (48, 64)), ("c.jpeg", (96, 128))):
        save(folder / name, size)
    found = image_list(list(images_in(folder).values()))
    assert (found.folder, found.count) == ("mine", 3)
    assert found.formats == {"jpg": 2, "png": 1} and found.sizes == {"48x64": 2, "96x128": 1}
    monkeypatch.chdir(folder)
    assert image_list(list(images_in(Path(".")).values())) == found


def test_names_match_whatever_their_case_and_unicode_form(tmp_path: Path) -> None:
    reference = {name: save(tmp_path / "r" / f"{name}.png") for name in ("caf\u00e9", "Anna", "bert", "Carl", "carl")}
    generated = {name: save(tmp_path / "g" / f"{name}.png") for name in ("cafe\u0301", "anna", "bert", "carl", "dora")}
    found = named_like(generated, reference)
    assert found["caf\u00e9"] == generated["cafe\u0301"] and found["Anna"] == generated["anna"]
    assert found["carl"] == generated["carl"] and "Carl" not in found
    names, problems = pair_up(found, reference)
    assert set(names) == {"caf\u00e9", "Anna", "bert", "carl"}
    assert problems == ["Carl: there is no generated image", "dora.png: there is no reference"]
