"""Parsing maps: the published numbers and colours, however an image tool saved them."""

import numpy as np
import pytest
from PIL import Image

from igr_core.errors import IGRError
from training.data.contract.parsing import (
    ATR,
    LIP,
    SYNTHETIC,
    TABLES,
    LabelTable,
    Parsing,
    palette_bytes,
    read_labels,
    voc_colours,
)
from training.data.synthetic.painting.canvas import LABELS


def picture(table: LabelTable) -> tuple[np.ndarray, Image.Image]:
    """Every number of a table, in stripes, and its P-mode image."""
    numbers = np.repeat(np.arange(len(table.kinds), dtype=np.uint8), 4).reshape(1, -1).repeat(16, 0)
    image = Image.fromarray(numbers)
    image.putpalette(palette_bytes(table))
    return numbers, image


@pytest.mark.parametrize("table", [LIP, ATR], ids=lambda table: table.name)
@pytest.mark.parametrize("mode", ["P", "L", "RGB", "RGBA", "I"])
def test_every_label_is_read_from_every_mode(table: LabelTable, mode: str) -> None:
    numbers, image = picture(table)
    if mode in ("L", "I"):
        image = Image.fromarray(numbers).convert(mode)
    elif mode != "P":
        image = image.convert(mode)
    assert (read_labels(image, table, "x.png") == numbers).all()


def test_lip_colours_of_255_are_those_of_254() -> None:
    numbers, image = picture(LIP)
    pixels = np.array(image.convert("RGB"))
    pixels[pixels == 254] = 255
    pixels[pixels == 169] = 170
    assert (read_labels(Image.fromarray(pixels), LIP, "x.png") == numbers).all()


def test_lip_labels_in_voc_colours_are_read_too() -> None:
    numbers, image = picture(LIP)
    image.putpalette(bytes(value for colour in voc_colours(20) for value in colour))
    assert (read_labels(image, LIP, "x.png") == numbers).all()
    assert (read_labels(image.convert("RGB"), LIP, "x.png") == numbers).all()


def test_a_palette_that_a_tool_sorted_again_is_read_by_its_colours() -> None:
    numbers, image = picture(LIP)
    order = np.random.default_rng(0).permutation(20)
    shuffled = Image.fromarray(np.argsort(order).astype(np.uint8)[numbers])
    shuffled.putpalette(bytes(np.array(LIP.colours, np.uint8)[order]))
    assert (np.array(shuffled.convert("RGB")) == np.array(image.convert("RGB"))).all()
    assert (read_labels(shuffled, LIP, "x.png") == numbers).all()


def test_a_grey_palette_is_read_by_its_numbers() -> None:
    numbers, image = picture(ATR)
    image.putpalette(bytes(value for number in range(18) for value in (number, number, number)))
    assert (read_labels(image, ATR, "x.png") == numbers).all()


@pytest.mark.parametrize("mode", ["RGB", "LA"])
def test_numbers_copied_into_every_channel_are_read(mode: str) -> None:
    numbers, _ = picture(ATR)
    assert (read_labels(Image.fromarray(numbers).convert(mode), ATR, "x.png") == numbers).all()


def test_the_voc_palette_is_the_published_one() -> None:
    assert voc_colours(9)[4:] == ((0, 0, 128), (128, 0, 128), (0, 128, 128), (128, 128, 128), (64, 0, 0))


@pytest.mark.parametrize("broken", ["colour", "number"])
def test_an_image_that_is_not_a_map_of_the_table_is_named(broken: str) -> None:
    _, image = picture(LIP)
    if broken == "colour":
        image = image.convert("RGB")
        image.putpixel((3, 3), (200, 201, 202))
    else:
        image = Image.fromarray(np.full((16, 16), 20, np.uint8))
    with pytest.raises(IGRError, match=r"^parse/x\.png "):
        read_labels(image, LIP, "parse/x.png")


def test_a_photo_is_not_accepted_as_a_map() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    with pytest.raises(IGRError, match="256 colours"):
        read_labels(Image.fromarray(noise), ATR, "photo.png")


def test_garments_by_published_numbers() -> None:
    labels = np.arange(20, dtype=np.uint8)[None]
    assert np.nonzero(Parsing(labels, LIP).garment("upper")[0])[0].tolist() == [5, 6, 7]
    assert np.nonzero(Parsing(labels, LIP).garment("lower")[0])[0].tolist() == [9, 12]
    labels = labels[:, :18]
    assert np.nonzero(Parsing(labels, ATR).garment("lower")[0])[0].tolist() == [5, 6]
    assert np.nonzero(Parsing(labels, ATR).garment("full")[0])[0].tolist() == [7]
    assert np.nonzero(Parsing(labels, ATR).of("arms", "bag")[0])[0].tolist() == [14, 15, 16]


def test_the_synthetic_table_has_a_kind_for_every_label_of_the_generator() -> None:
    assert len(SYNTHETIC.kinds) == len(LABELS)
    for category, numbers in SYNTHETIC.garment.items():
        assert category in {LABELS[number] for number in numbers}
    assert TABLES["LIP"] is LIP
