"""Images in every mode that cameras, editors and mask tools write, and files that are not images."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

from igr_core.errors import IGRError
from igr_core.photo import image_files
from igr_core.photo.image_files import MAX_PIXELS, decode_image
from igr_core.photo.images import load_mask, load_photo, load_photo_and_mask, photo_of_image, save_image
from igr_core.photo.mask_files import DEEP_MODES, mask_of_image
from tests.support.image_files import premultiplied

WIDTH, HEIGHT = 24, 32


def rgb() -> np.ndarray:
    """(H, W, 3) bytes: a gradient with a red block, different in every rotation and flip."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    image = np.stack([rows * 4, columns * 8, rows + columns], axis=-1).astype(np.uint8)
    image[:8, :6] = (250, 10, 10)
    return image


def block(high: int = 255, dtype: type = np.uint8) -> np.ndarray:
    """(H, W): a mask that is `high` in an off-centre block."""
    mask = np.zeros((HEIGHT, WIDTH), dtype)
    mask[4:20, 3:10] = high
    return mask


def as_tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32) / 255)


def write(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def test_rgb_photo(tmp_path: Path):
    photo = load_photo(write(tmp_path / "a.png", Image.fromarray(rgb())))
    assert photo.shape == (1, 3, HEIGHT, WIDTH) and photo.dtype == torch.float32
    assert torch.equal(photo[0], as_tensor(rgb()).permute(2, 0, 1))


def test_transparent_photo_is_flattened_on_white(tmp_path: Path):
    rgba = np.dstack([rgb(), block()])
    photo = load_photo(write(tmp_path / "a.png", Image.fromarray(rgba)))
    inside = torch.from_numpy(block() > 0)
    assert torch.equal(photo[0][:, inside], as_tensor(rgb()).permute(2, 0, 1)[:, inside])
    assert (photo[0][:, ~inside] == 1).all()


@pytest.mark.parametrize(("wider", "refused"), [(0, True), (1, True), (12, False)])
@pytest.mark.parametrize("opacity", [0, 1])
def test_a_photo_whose_garment_is_transparent_is_refused(tmp_path: Path, wider: int, refused: bool, opacity: int):
    mask = np.zeros((96, 72), np.uint8)
    mask[30 - wider : 60 + wider, 20 - wider : 50 + wider] = 255
    alpha = np.full_like(mask, 255)
    alpha[30:60, 20:50] = opacity
    photo = write(tmp_path / "a.png", Image.fromarray(np.dstack([np.full((96, 72, 3), 90, np.uint8), alpha])))
    cover = write(tmp_path / "m.png", Image.fromarray(mask))
    if refused:
        with pytest.raises(IGRError, match=r"a.png is transparent where its mask is white.*use the original photo"):
            load_photo_and_mask(photo, cover)
    else:
        assert load_photo_and_mask(photo, cover)[0].shape == (1, 3, 96, 72)


def test_a_bmp_with_an_unused_fourth_byte_is_opaque():
    out = io.BytesIO()
    Image.fromarray(np.dstack([rgb(), np.zeros_like(block())])).save(out, "BMP")
    data = bytearray(out.getvalue())
    image = decode_image(bytes(data), "a.bmp")
    assert image.mode == "RGB" and np.array_equal(np.asarray(image), rgb())


def test_a_truncated_photo_is_damaged_even_if_another_package_lets_pillow_fill_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    noise = np.random.default_rng(0).integers(0, 256, (128, 96, 3), dtype=np.uint8)
    path = write(tmp_path / "a.jpg", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:6000])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(IGRError, match="a.jpg is truncated or damaged"):
        load_photo(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES  # which belongs to the other package


MODES = {mode for mode, _ in TiffImagePlugin.OPEN_INFO.values()} | {"HSV", "I;16N", "La", "PA", "RGBa"}
"""Every mode of an image that Pillow returns: those of TIFF, the format with the most, and of all others."""


@pytest.mark.parametrize("mode", sorted(MODES))
def test_every_mode_of_pillow_is_read(mode: str, monkeypatch: pytest.MonkeyPatch):
    white = Image.new("RGBA", (WIDTH, HEIGHT), "white")
    image = {
        **{deep: Image.new(deep, white.size, 1 if deep == "F" else 65535) for deep in DEEP_MODES},
        **{alpha: white.convert(base).convert(alpha) for alpha, base in (("La", "LA"), ("RGBa", "RGBA"))},
    }.get(mode) or white.convert("RGB" if mode not in ("LA", "RGBA") else "RGBA").convert(mode)
    if mode == "LAB":
        image = Image.merge("LAB", [Image.new("L", white.size, level) for level in (255, 128, 128)])
    assert image.mode == mode
    monkeypatch.setattr(image_files, "_open", lambda *_: image)
    read = decode_image(b"", "a.tif")
    assert np.asarray(photo_of_image(read, "a.tif")).min() >= 254
    assert float(mask_of_image(read, "a.tif").min()) > 0.98


def test_a_grey_tiff_with_associated_alpha_is_divided_by_it(tmp_path: Path):
    opacity = np.where(block() > 0, 255, 128).astype(np.uint8)
    grey = np.full_like(opacity, 200)
    (tmp_path / "a.tif").write_bytes(
        premultiplied(Image.fromarray(np.dstack([grey * (opacity / 255), opacity]).astype(np.uint8)))
    )
    photo = load_photo(tmp_path / "a.tif")[0, 0]
    inside = torch.from_numpy(block() > 0)
    assert torch.allclose(photo[inside], torch.tensor(200 / 255), atol=0.01)
    assert torch.allclose(photo[~inside], torch.tensor((200 * 128 / 255 + 127) / 255), atol=0.01)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "YCbCr"])
def test_other_modes_of_photos(tmp_path: Path, mode: str):
    image = Image.fromarray(rgb()).convert(mode)
    suffix = ".jpg" if mode in ("CMYK", "YCbCr") else ".png"
    photo = load_photo(write(tmp_path / f"a{suffix}", image))
    wanted = as_tensor(np.asarray(image.convert("RGB"))).permute(2, 0, 1)
    assert photo.shape == (1, 3, HEIGHT, WIDTH)
    assert (photo[0] - wanted).abs().mean() < (0.03 if suffix == ".jpg" else 1e-6)


def test_palette_with_transparency(tmp_path: Path):
    image = Image.new("P", (WIDTH, HEIGHT), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (0, 0, 12, HEIGHT))
    photo = load_photo(write(tmp_path / "a.png", image, transparency=0))
    assert photo[0, :, 5, 5].tolist() == [1, 0, 0] and photo[0, :, 5, 20].tolist() == [1, 1, 1]


@pytest.mark.parametrize(("gamma", "level"), [(1.0, 0.735), (1 / 1.8, 0.573), (0.45455, 0.5), (0.0, 0.5)])
def test_the_gamma_of_a_png_is_applied(tmp_path: Path, gamma: float, level: float):
    image = Image.new("RGBA", (WIDTH, HEIGHT), (128, 128, 128, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    plain = write(tmp_path / "a.png", image).read_bytes()
    out = io.BytesIO()
    PngImagePlugin.putchunk(out, b"gAMA", round(gamma * 100_000).to_bytes(4, "big"))
    (tmp_path / "a.png").write_bytes(plain[:33] + out.getvalue() + plain[33:])
    photo = load_photo(tmp_path / "a.png")
    assert float(photo[0, 0, 5, 5]) == pytest.approx(level, abs=0.01) and photo[0, :, 0, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled(tmp_path: Path, suffix: str):
    deep = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 80).astype(np.uint16)
    photo = load_photo(write(tmp_path / f"a{suffix}", Image.fromarray(deep)))
    assert photo.shape == (1, 3, HEIGHT, WIDTH)
    assert torch.allclose(photo[0, 1], torch.from_numpy(deep.astype(np.float32) / 65535))
    mask = load_mask(write(tmp_path / f"m{suffix}", Image.fromarray(block(65535, np.uint16))))
    assert torch.equal(mask[0, 0], as_tensor(block()))


def test_float_images(tmp_path: Path):
    unit = block().astype(np.float32) / 255
    assert torch.equal(load_mask(write(tmp_path / "m.tif", Image.fromarray(unit)))[0, 0], as_tensor(block()))
    with pytest.raises(IGRError, match=r"bright.tif has pixel values out of range.*8-bit PNG"):
        load_photo(write(tmp_path / "bright.tif", Image.fromarray(unit * 100)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int):
    upright = Image.fromarray(rgb())
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = load_photo(write(tmp_path / "a.png", stored, exif=exif))
    assert torch.equal(photo[0], as_tensor(rgb()).permute(2, 0, 1))


BLOCK = block()
FLAT = np.full_like(BLOCK, 255)
MASKS = {
    "grey": Image.fromarray(BLOCK),
    "one bit": Image.fromarray(BLOCK > 0),
    "rgb": Image.fromarray(np.dstack([BLOCK] * 3)),
    "opaque rgba": Image.fromarray(np.dstack([BLOCK] * 3 + [FLAT])),
    "white with alpha": Image.fromarray(np.dstack([FLAT] * 3 + [BLOCK])),
    "black with alpha": Image.fromarray(np.dstack([FLAT * 0] * 3 + [BLOCK])),
    "white on transparent black": Image.fromarray(np.dstack([BLOCK] * 4)),
    "red brush": Image.fromarray(np.dstack([BLOCK, BLOCK * 0, BLOCK * 0, BLOCK])),
    "cut-out photo": Image.fromarray(np.dstack([rgb(), BLOCK])),
    "grey with alpha": Image.fromarray(np.dstack([FLAT, BLOCK])),
    "palette": Image.fromarray(BLOCK).convert("P"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_every_kind(tmp_path: Path, kind: str):
    mask = load_mask(write(tmp_path / "m.png", MASKS[kind]))
    assert mask.shape == (1, 1, HEIGHT, WIDTH)
    assert torch.equal(mask[0, 0], as_tensor(BLOCK))


def test_transparent_parts_of_a_grey_mask_count_as_nothing(tmp_path: Path):
    alpha = FLAT.copy()
    alpha[:, :6] = 0
    mask = load_mask(write(tmp_path / "m.png", Image.fromarray(np.dstack([BLOCK] * 3 + [alpha]))))
    assert torch.equal(mask[0, 0], as_tensor(np.minimum(BLOCK, alpha)))


@pytest.mark.parametrize("load", [load_photo, load_mask])
def test_files_that_are_not_usable_images(tmp_path: Path, load):
    def fails(path: Path, *words: str):
        with pytest.raises(IGRError) as caught:
            load(path)
        assert str(path) in str(caught.value)
        for word in words:
            assert word in str(caught.value)

    fails(tmp_path / "none.png", "does not exist")
    fails(tmp_path, "is not a file")
    (tmp_path / "text.png").write_text("hello")
    fails(tmp_path / "text.png", "not a supported image", "PNG")
    (tmp_path / "empty.png").write_bytes(b"")
    fails(tmp_path / "empty.png", "not a supported image")
    fails(write(tmp_path / "dot.png", Image.new("RGB", (1, 1))), "1×1", "16×16")
    fails(write(tmp_path / "line.png", Image.new("L", (500, 15))), "500×15")
    for suffix, fmt in ((".png", "PNG"), (".jpg", "JPEG")):
        buffer = io.BytesIO()
        Image.effect_noise((200, 200), 90).convert("RGB").save(buffer, fmt)
        (tmp_path / f"half{suffix}").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
        fails(tmp_path / f"half{suffix}", "truncated", "again")


def test_huge_images_are_refused_before_decoding(tmp_path: Path):
    side = int(MAX_PIXELS**0.5) + 8
    for name, size in (("huge.png", (side, side)), ("bomb.png", (60_000, 8_000))):
        with pytest.raises(IGRError, match=rf"{name} has more than 64 megapixels"):
            load_photo(write(tmp_path / name, Image.new("1", size)))


def test_twelve_megapixels(tmp_path: Path):
    assert load_photo(write(tmp_path / "a.jpg", Image.new("RGB", (4000, 3000)))).shape == (1, 3, 3000, 4000)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.png", "RGBA"), ("a.webp", "RGB"), ("a.JPG", "RGB"), ("a.png", "L"), ("a.jpg", "L")],
)
def test_save_and_load(tmp_path: Path, name: str, mode):
    image = torch.full((1, len(mode), HEIGHT, WIDTH), 0.6)
    save_image(tmp_path / name, image, mode)
    assert os.listdir(tmp_path) == [name]
    with Image.open(tmp_path / name) as saved:
        assert saved.mode == mode and saved.size == (WIDTH, HEIGHT)
    if mode != "RGBA":
        assert (load_photo(tmp_path / name) - 0.6).abs().max() < 0.02


@pytest.mark.parametrize(
    ("name", "image", "mode", "word"),
    [
        ("a.xyz", torch.rand(3, 20, 20), "RGB", "use the extension .png"),
        ("a", torch.rand(3, 20, 20), "RGB", "use the extension .png"),
        ("a.jpg", torch.rand(4, 20, 20), "RGBA", "does not support transparency"),
        ("a.png", torch.rand(3, 20, 20), "RGBA", "(4, H, W)"),
        ("a.png", torch.rand(2, 3, 20, 20), "RGB", "(3, H, W)"),
        ("a.png", torch.full((3, 20, 20), float("nan")), "RGB", "NaN"),
        ("none/a.png", torch.rand(3, 20, 20), "RGB", "Could not write"),
    ],
)
def test_bad_saves_leave_nothing(tmp_path: Path, name: str, image, mode, word: str):
    with pytest.raises(IGRError) as caught:
        save_image(tmp_path / name, image, mode)
    assert word in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_interrupted_save_keeps_the_earlier_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_image(tmp_path / "a.png", torch.zeros(3, 20, 20))
    before = (tmp_path / "a.png").read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_image(tmp_path / "a.png", torch.ones(3, 20, 20))
    assert (tmp_path / "a.png").read_bytes() == before and os.listdir(tmp_path) == ["a.png"]
