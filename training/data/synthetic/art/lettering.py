"""Prints on the cloth as RGBA images: large lettering, single-shape logos, and combinations of the two."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .motifs import LOGOS, logo_outline
from .palette import Rgb

WORDS = (
    "SUN",
    "SKY",
    "ROCK",
    "LOVE",
    "NYC",
    "SURF",
    "KIND",
    "WILD",
    "PEAK",
    "JAZZ",
    "HERO",
    "MOON",
    "FLOW",
    "RUN",
    "YES",
    "ART",
    "BLUE",
    "LUCKY",
    "PARIS",
    "TOKYO",
    "COAST",
    "DREAM",
    "TEAM",
    "GO",
    "OK",
    "ECO",
    "RIO",
    "FOX",
    "BEAR",
    "WOW",
)
FONTS = (
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSerif-Bold.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSans-BoldOblique.ttf",
    "",
)
ARRANGEMENTS = ("text", "logo", "text_shape", "badge")
TALLNESS = {"text": 1.0, "logo": 1.0, "text_shape": 2.65, "badge": 1.7}  # height of the whole print, in letter heights


@dataclass(frozen=True)
class Print:
    """One print on a part of the garment, in the part's local coordinates."""

    arrangement: str  # one of ARRANGEMENTS
    text: str
    logo: str  # one of LOGOS, or "" for none
    font: int  # index into FONTS
    centre: tuple[float, float]
    height: float  # height of the letters, or of a logo without letters, in body heights
    colour: Rgb
    second: Rgb


def draw_text(rng: np.random.Generator) -> str:
    """A word from WORDS, or two to five random letters."""
    if rng.random() < 0.55:
        return WORDS[int(rng.integers(len(WORDS)))]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "".join(letters[int(i)] for i in rng.integers(0, 26, int(rng.integers(2, 6))))


def draw_print(
    rng: np.random.Generator,
    centre: tuple[float, float],
    room: tuple[float, float],
    garment_height: float,
    colours: tuple[Rgb, Rgb],
) -> Print:
    """Draw a print that fits into `room` (width, height); letters are 9 to 20% of the garment's height if they fit."""
    width, tall = room
    arrangement = ARRANGEMENTS[int(rng.choice(4, p=[0.5, 0.22, 0.16, 0.12]))]
    text, font = draw_text(rng), int(rng.integers(len(FONTS)))
    logo = LOGOS[int(rng.integers(len(LOGOS)))]
    height = float(rng.uniform(0.1, 0.2)) * garment_height
    if arrangement == "logo":
        height = min(float(rng.uniform(0.16, 0.3)) * garment_height, width * 0.9)
    else:
        inner = width * (0.8 if arrangement == "badge" else 1.0)
        while len(text) > 2 and inner / aspect(text, font) < 0.095 * garment_height:
            text = text[:-1]
        height = min(height, inner / aspect(text, font))
    if arrangement == "logo" and logo == "number":
        text = str(int(rng.integers(1, 100)))
        height = min(height, width / aspect(text, font))
    height = min(height, tall / TALLNESS[arrangement])
    return Print(arrangement, text, logo, font, centre, height, *colours)


@lru_cache(maxsize=64)
def font_of(index: int, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """One of the fonts shipped with matplotlib and Pillow, so that every machine draws the same letters."""
    name = FONTS[index]
    if not name:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def aspect(text: str, font: int) -> float:
    """Width of text in capital heights."""
    left, _, right, _ = font_of(font, 100).getbbox(text)
    return float(right - left) / 73.0


def text_mask(text: str, font: int, height: int) -> Image.Image:
    """Letters as an L image cropped to their bounding box, with capitals `height` pixels high."""
    size = max(6, round(height / 0.73))
    face = font_of(font, size)
    left, top, right, low = face.getbbox(text)
    bold = 0 if FONTS[font] else round(size * 0.035)  # the default font is thin
    image = Image.new("L", (int(right - left) + 2 + 2 * bold, int(low - top) + 2 + 2 * bold), 0)
    ImageDraw.Draw(image).text((1 + bold - left, 1 + bold - top), text, fill=255, font=face, stroke_width=bold)
    return image


def logo_picture(kind: str, size: int, colour: Rgb, second: Rgb, text: str, font: int) -> Image.Image:
    """A logo as an RGBA image of size x size pixels."""
    if kind == "number":
        mask = text_mask(text, font, size)
        image = Image.new("RGBA", mask.size, (*colour, 0))
        image.putalpha(mask)
        return image
    image = Image.new("RGBA", (size + 1, size + 1), (*colour, 0))
    draw = ImageDraw.Draw(image)
    half = size / 2
    outline = [(float(x * size + half), float(y * size + half)) for x, y in logo_outline(kind)]
    draw.polygon(outline, fill=(*colour, 255))
    if kind == "ring":
        draw.ellipse((size * 0.2, size * 0.2, size * 0.8, size * 0.8), fill=(*second, 255))
    elif kind == "split":
        draw.pieslice((0, 0, size, size), 0, 180, fill=(*second, 255))
    elif kind == "smiley":
        for x in (0.34, 0.66):
            draw.ellipse((size * (x - 0.07), size * 0.26, size * (x + 0.07), size * 0.46), fill=(*second, 255))
        draw.arc((size * 0.22, size * 0.25, size * 0.78, size * 0.8), 20, 160, (*second, 255), max(2, size // 11))
    return image


def render(item: Print, ppu: float) -> Image.Image:
    """Draw a print as an RGBA image with `ppu` pixels per unit."""
    height = max(4, round(item.height * ppu))
    if item.arrangement == "logo":
        return logo_picture(item.logo, height, item.colour, item.second, item.text, item.font)
    mask = text_mask(item.text, item.font, height)
    if item.arrangement == "text":
        image = Image.new("RGBA", mask.size, (*item.colour, 0))
        image.putalpha(mask)
        return image
    if item.arrangement == "badge":
        border = round(height * 0.35)
        image = Image.new("RGBA", (mask.width + 2 * border, mask.height + 2 * border), (*item.colour, 0))
        box = (0, 0, image.width - 1, image.height - 1)
        ImageDraw.Draw(image).rounded_rectangle(box, radius=border * (item.font % 2) * 1.2, fill=(*item.colour, 255))
        image.paste((*item.second, 255), (border, border), mask)
        return image
    kind = "star" if item.logo == "number" else item.logo
    logo = logo_picture(kind, round(height * 1.35), item.colour, item.second, "", item.font)
    width, gap = max(mask.width, logo.width), round(height * 0.28)
    image = Image.new("RGBA", (width, logo.height + gap + mask.height), (*item.colour, 0))
    image.alpha_composite(logo, ((width - logo.width) // 2, 0))
    image.paste((*item.colour, 255), ((width - mask.width) // 2, logo.height + gap), mask)
    return image
