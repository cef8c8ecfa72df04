"""Draw photos and their garments side by side in one image. Independent of ComfyUI."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...igr_core.text import one_line

BOX = (192, 256)
"""Largest width and height in pixels of a photo or garment on the sheet."""
GAP, SPACE = 8, 32
"""Pixels between a photo and its garment, and around each pair."""
TEXT, LINE = 22, 30
"""Size of the text, and height of a line, in pixels."""
INK, PALE, ORANGE = (32, 32, 32), (112, 112, 112), (190, 84, 0)

_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial.ttf",
    "NotoSansCJK-Regular.ttc", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "PingFang.ttc", "Arial Unicode.ttf",
)  # fmt: skip
"""Fonts of operating systems for names that Pillow's own font, which has little more than ASCII, cannot show."""
_UNASSIGNED = "\uffff"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Pair:
    """A photo and its garment on the sheet."""

    photo: Image.Image
    """The photo, at most BOX in size."""
    garment: Image.Image
    """The garment, at most BOX in size."""
    title: str
    """First line below both; a text that is too long for it is shortened in the middle."""
    facts: str
    """Second line."""
    warning: str = ""
    """End of the second line, in another colour."""


def reduced(image: Tensor) -> Image.Image:
    """An image (3, H, W) in 0..1, reduced to fit into BOX; smaller images are kept."""
    pixels = (image.movedim(0, -1) * 255).round().to(torch.uint8).cpu().numpy()
    small = Image.fromarray(pixels)
    small.thumbnail(BOX, Image.Resampling.LANCZOS)
    return small


def draw_sheet(pairs: Sequence[Pair], end: str = "") -> Tensor:
    """Draw the pairs in rows on white, with a line of text at the end, as an IMAGE (1, H, W, 3) in 0..1.

    The number of columns makes the sheet about square.
    """
    width, height = 2 * BOX[0] + GAP + SPACE, BOX[1] + 2 * LINE + SPACE
    columns = max(1, round(math.sqrt(len(pairs) * height / width)))
    rows = math.ceil(len(pairs) / columns)
    size = (columns * width + SPACE, rows * height + SPACE + (LINE if end else 0))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for number, pair in enumerate(pairs):
        row, column = divmod(number, columns)
        _draw_pair(sheet, pen, pair, SPACE + column * width, SPACE + row * height)
    _write(pen, end, (SPACE, size[1] - SPACE - LINE // 2), PALE, size[0] - 2 * SPACE)
    return torch.from_numpy(np.array(sheet)).float()[None] / 255


def _draw_pair(sheet: Image.Image, pen: ImageDraw.ImageDraw, pair: Pair, left: int, top: int) -> None:
    for image, start in ((pair.photo, left), (pair.garment, left + BOX[0] + GAP)):
        sheet.paste(image, (start + (BOX[0] - image.width) // 2, top + (BOX[1] - image.height) // 2))
    space, below = 2 * BOX[0] + GAP, top + BOX[1] + GAP
    _write(pen, pair.title, (left, below), INK, space)
    used = _write(pen, pair.facts, (left, below + LINE), PALE, space)
    _write(pen, pair.warning, (left + used, below + LINE), ORANGE, space - used)


def _write(pen: ImageDraw.ImageDraw, text: str, place: tuple[int, int], colour: tuple[int, ...], space: int) -> int:
    """Write a line of text into `space` pixels, and return its width in pixels."""
    text, font = _drawable(one_line(text))
    text = _shortened(text, font, space)
    pen.text((place[0], place[1] + TEXT), text, fill=colour, font=font, anchor="ls")  # fonts differ above the baseline
    return math.ceil(font.getlength(text))


def _shortened(text: str, font: Font, space: int) -> str:
    """The text, without its middle if it is wider than `space` pixels, because the ends of names tell photos apart."""
    kept, short = len(text), text
    while kept > 1 and font.getlength(short) > space:
        kept -= 1
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return short


def _drawable(text: str) -> tuple[str, Font]:
    """The text and a font with all its characters; if there is none, the text without accents, with ? for the rest."""
    own, *others = _fonts()
    for font in (own, *others):
        if all(_has(font, one) for one in text):
            return text, font
    plain = unicodedata.normalize("NFKD", text)
    return "".join(one if _has(own, one) else "?" for one in plain if not unicodedata.combining(one)), own


@cache
def _fonts() -> tuple[Font, ...]:
    """Pillow's own font, then those of the system."""
    found: list[Font] = [ImageFont.load_default(TEXT)]
    for name in _FONTS:
        try:
            found.append(ImageFont.truetype(name, TEXT))
        except OSError:  # this system does not have it
            continue
    return tuple(found)


@lru_cache(maxsize=4096)
def _has(font: Font, character: str) -> bool:
    return bytes(font.getmask(character)) != bytes(font.getmask(_UNASSIGNED))
