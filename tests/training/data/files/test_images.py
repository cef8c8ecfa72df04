"""Reading files of data sets: modes, EXIF, suffixes, and one sentence for each unreadable file."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.data.contract.parsing import ATR
from training.data.files.images import (
    Listing,
    decode,
    mask_of,
    parsing_of,
    photo_of,
    read_bytes,
    read_json,
    read_lines,
    read_pair_list,
    read_table,
    size_of,
)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (32, 48)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "RGBA", "I;16"])
def test_photos_of_every_mode_are_rgb(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((48, 32), 25700, np.uint16))
    else:
        image = noise(mode) if mode != "LA" else noise("L").convert("LA")
    photo = photo_of(saved(image, "TIFF" if mode == "CMYK" else "PNG"), "x")
    assert photo.mode == "RGB" and photo.size == (32, 48)
    if mode == "I;16":
        assert photo.getpixel((0, 0)) == (100, 100, 100)


def test_a_garment_that_is_cut_out_is_put_on_white() -> None:
    image = Image.new("RGBA", (32, 32), (10, 20, 30, 0))
    image.putpixel((5, 5), (10, 20, 30, 255))
    photo = photo_of(saved(image), "x")
    assert photo.getpixel((0, 0)) == (255, 255, 255) and photo.getpixel((5, 5)) == (10, 20, 30)


def test_exif_turns_the_photo_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG"):
        data = saved(noise(), kind, exif=exif)
        assert photo_of(data, "x").size == size_of(data, "x") == (48, 32)
        assert size_of(saved(noise(), kind), "x") == (32, 48)
    with pytest.raises(IGRError, match="^x is not a supported image"):
        size_of(b"none", "x")


@pytest.mark.parametrize(
    "data",
    [
        saved(noise(), "JPEG")[:-300],
        saved(noise())[:-900],
        b"",
        b"not a picture",
        saved(noise(size=(8, 8))),
    ],
    ids=["cut JPEG", "cut PNG", "empty", "text", "tiny"],
)
def test_a_damaged_picture_is_named(data: bytes) -> None:
    with pytest.raises(IGRError, match=r"^a/b\.jpg (is|has) "):
        decode(data, "a/b.jpg")


def test_masks_are_black_and_white_whatever_they_were() -> None:
    grey = Image.fromarray(np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1)))
    expected = np.array(grey) > 127
    for image in (grey, grey.convert("RGB"), grey.convert("LA")):
        mask = mask_of(saved(image), "m.png", (32, 32))
        assert mask.mode == "L" and ((np.array(mask) == 255) == expected).all()
        assert set(np.unique(mask)) == {0, 255}
    binary = grey.point(lambda value: 255 if value > 127 else 0)
    assert ((np.array(mask_of(saved(binary.convert("1")), "m", (32, 32))) == 255) == expected).all()


def test_a_mask_drawn_in_alpha_alone_counts() -> None:
    image = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (4, 4, 8, 8))
    assert np.array(mask_of(saved(image), "m", (32, 32))).sum() == 16 * 255


def test_masks_and_maps_of_another_size_and_empty_masks_are_refused() -> None:
    with pytest.raises(IGRError, match=r"^m\.png is 32x48, but its photo is 64x96"):
        mask_of(saved(noise("L")), "m.png", (64, 96))
    with pytest.raises(IGRError, match=r"^m\.png marks no garment"):
        mask_of(saved(Image.new("L", (32, 32), 1)), "m.png", (32, 32))
    with pytest.raises(IGRError, match=r"^p\.png is 32x32, but its photo is 64x96"):
        parsing_of(saved(Image.new("L", (32, 32), 1)), "p.png", ATR, (64, 96))


def test_a_listing_finds_files_in_any_case_and_with_another_ending(tmp_path: Path) -> None:
    for name in ("A_00.JPG", "b_00.png", "b_00_keypoints.json", "._b_00.png"):
        (tmp_path / name).touch()
    listing = Listing(tmp_path)
    assert listing.find("a_00.jpg") == tmp_path / "A_00.JPG"
    assert listing.find("b_00.jpg") == tmp_path / "b_00.png"
    assert listing.find("b_00_keypoints.json") == tmp_path / "b_00_keypoints.json"
    assert listing.find("c.json", "c.jpg") is None
    assert listing.path("c.jpg") == tmp_path / "c.jpg"
    assert listing.pictures() == ["A_00.JPG", "b_00.png"]
    assert not Listing(tmp_path / "none").exists


def test_pair_lists_with_windows_lines_blank_lines_tabs_and_three_columns(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"\xef\xbb\xbf1_0.jpg 1_1.jpg\r\n\r\n2_0.jpg\t2_1.jpg\t1\r\n")
    assert read_pair_list(path) == [("1_0.jpg", "1_1.jpg"), ("2_0.jpg", "2_1.jpg", "1")]
    path.write_text("1_0.jpg 1_1.jpg\nonly.jpg\n")
    with pytest.raises(IGRError, match=r"pairs\.txt, line 2, has 1 entries"):
        read_pair_list(path)


def test_lists_that_are_missing_empty_or_not_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match=r"none\.txt does not exist"):
        read_lines(tmp_path / "none.txt")
    with pytest.raises(IGRError, match="is not a file"):
        read_bytes(tmp_path)
    path = tmp_path / "list.txt"
    path.write_text("\n \n")
    with pytest.raises(IGRError, match=r"list\.txt is empty"):
        read_lines(path)
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(IGRError, match="UTF-8"):
        read_lines(path)
    with pytest.raises(IGRError, match=r"^k\.json is not valid JSON"):
        read_json(b"{", "k.json")


def test_tables_keep_line_numbers_and_quoted_names(tmp_path: Path) -> None:
    path = tmp_path / "category.csv"
    path.write_bytes(b'name,category\r\n\r\n"a, b.jpg", upper\r\n')
    assert read_table(path) == [(1, ["name", "category"]), (3, ["a, b.jpg", "upper"])]
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(IGRError, match=r"category\.csv is an Excel or OpenDocument workbook"):
        read_table(path)
