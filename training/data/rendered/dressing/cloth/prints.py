"""Local prints: lines of words, logos, badges, numbers and images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ....synthetic.art.lettering import WORDS as SHORT_WORDS
from ....synthetic.art.lettering import logo_picture
from ....synthetic.art.motifs import LOGOS
from ....synthetic.art.palette import Rgb
from .pictures import PICTURES, draw_picture

WORDS = SHORT_WORDS + tuple(
    """
    ALASKA ALWAYS ALPINE ATLAS AURORA BASIC BERLIN BLOOM BOSTON BREEZE BROOKLYN CALM CANYON CHAMPS CIRCUS CITY CLUB
    COFFEE COSMIC CREW DAILY DENVER DESERT DIVISION EARTH EAST ECHO ELEVEN EST EVERY EXPLORE FEARLESS FIRE FOREST FREE
    FUTURE GALAXY GARDEN GOOD GRAVITY HAPPY HARBOR HAVANA HELLO HIGH HOME HONEY HORIZON HUMAN ISLAND JOY JUNGLE KINGS
    LAKE LEGEND LISBON LOCAL LONDON LOUD LUNA MADE MAGIC MALIBU MIAMI MIND MONDAY MORE MOUNTAIN MUSIC NATURE NEVER NEON
    NORTH NOTHING NOW OAKLAND OCEAN OLYMPIC ORBIT ORIGINAL OSLO OUTDOOR PACIFIC PALM PEACE PLANET POWER QUIET RACING
    RANGERS REBEL RIDE RIVER ROAD ROAM ROME SAIL SALT SEATTLE SILENCE SKATE SLOW SMILE SOCIAL SOUL SOUTH SPACE SPIRIT
    SPORT STATE STAY STEREO STORM STREET STUDIO SUMMER SUNDAY SUPPLY SYDNEY TEXAS THUNDER TIGERS TIME TODAY TRAIL
    TRIBE TROPIC UNION UNITED UNIVERSITY VALLEY VENICE VIBES VICTORY VINTAGE VOLT WAVES WEEKEND WEST WINTER WOLF WONDER
    YONDER YOUNG YOUTH ZERO ZEN 1968 1984 1995 2001 23 78 good vibes only hello sunday slow living est athletics
    """.split()
)
"""Words of the training set."""

HELD_OUT_WORDS = tuple(
    """
    ACADIA AMBER BANJO BISON CEDAR CORAL DUBLIN EMBER FALCON GLACIER INDIGO JUNIPER KODIAK LAGOON MAPLE MERIDIAN NIMBUS
    OTTER PRAIRIE QUARTZ RAVEN SAFFRON TUNDRA UTOPIA VELVET WILLOW ZEPHYR QUITO BERGEN 1973 63
    """.split()
)
"""Words that only the held-out set uses."""

FONTS = (
    "DejaVuSans-Bold.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSerif-Bold.ttf",
    "DejaVuSerif-BoldItalic.ttf",
    "DejaVuSans-BoldOblique.ttf",
    "DejaVuSansMono-BoldOblique.ttf",
    "STIXGeneralBol.ttf",
    "STIXGeneralBolIta.ttf",
    "STIXGeneralItalic.ttf",
    "cmr10.ttf",
    "cmtt10.ttf",
    "cmss10.ttf",
    "cmb10.ttf",
    "",
)
"""Fonts included in matplotlib; "" is Pillow's default font."""

FORMS = ("words", "logo", "badge", "picture", "number", "words_picture")
"""Forms of prints: words, logo, words on a badge, image, number, and words with an image."""
MASTER = 320
"""Longer side of a print in pixels before it is scaled to the cloth's resolution."""


@dataclass(frozen=True)
class Art:
    """The content of a print."""

    form: str
    """One of FORMS."""
    lines: tuple[str, ...]
    """Lines of words."""
    font: int
    """Index in FONTS."""
    stretch: float
    """Factor on the width of the font's letters."""
    arched: float
    """Rise of the first line's centre, as a fraction of its width."""
    outline: bool
    """Whether letters are outlined in the second ink."""
    mark: str
    """One of motifs.LOGOS or pictures.PICTURES."""
    frame: str
    """Frame of an image: none, round, arch, soft."""
    inks: tuple[Rgb, Rgb]
    """Main ink, second ink."""
    seed: int
    """Seed of an image."""


@dataclass(frozen=True)
class Placed:
    """A print on a panel."""

    panel: str
    """Name of the panel."""
    centre: tuple[float, float]
    """u, v of its centre, metres."""
    width: float
    """Width in metres."""
    art: Art
    """Content of the print."""
    wear: float = 0.0
    """Fraction of the ink that has worn off, 0..1."""


@lru_cache(maxsize=64)
def _font(index: int, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if not FONTS[index]:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / FONTS[index]), size)


def _line(text: str, art: Art, size: int) -> Image.Image:
    """One line of letters as an RGBA image, cropped to its ink."""
    font = _font(art.font, size)
    thin = art.font >= 8
    edge = round(size * 0.05) if art.outline else 0
    bold = edge + (round(size * 0.025) if thin else 0)
    left, top, right, low = font.getbbox(text, stroke_width=bold)
    shape = (int(right - left) + 4, int(low - top) + 4)
    at = (2 - left, 2 - top)
    image = Image.new("RGBA", shape, (*art.inks[0], 0))
    pen = ImageDraw.Draw(image)
    if edge:
        pen.text(at, text, fill=(*art.inks[1], 255), font=font, stroke_width=bold)
    pen.text(at, text, fill=(*art.inks[0], 255), font=font, stroke_width=bold - edge)
    return image.resize((max(4, round(image.width * art.stretch)), image.height), Image.Resampling.BILINEAR)


def _arched(image: Image.Image, rise: float) -> Image.Image:
    """The image with its centre lifted, as on college shirts."""
    lift = round(abs(rise) * image.width)
    if lift < 2:
        return image
    pixels = np.asarray(image)
    x = np.linspace(-1, 1, image.width)
    drop = np.round((x**2 if rise > 0 else 1 - x**2) * lift).astype(int)
    out = np.zeros((image.height + lift, image.width, 4), np.uint8)
    out[..., :3] = pixels[0, 0, :3]
    rows = np.arange(image.height)[:, None] + drop[None]
    out[rows, np.arange(image.width)[None]] = pixels
    return Image.fromarray(out)


def _stacked(parts: list[Image.Image], gap: int) -> Image.Image:
    width = max(part.width for part in parts)
    height = sum(part.height for part in parts) + gap * (len(parts) - 1)
    out = Image.new("RGBA", (width, height), (*parts[0].getpixel((0, 0))[:3], 0))
    y = 0
    for part in parts:
        out.alpha_composite(part, ((width - part.width) // 2, y))
        y += part.height + gap
    return out


def _words(art: Art) -> Image.Image:
    lines = []
    for k, text in enumerate(art.lines):
        image = _line(text, art, 64 if k == 0 else 64 - 22 * (art.seed % 2))
        lines.append(_arched(image, art.arched) if k == 0 else image)
    if len(lines) > 1 and art.seed % 3 == 0:  # justified
        width = max(image.width for image in lines)
        lines = [image.resize((width, round(image.height * min(width / image.width, 2.2)))) for image in lines]
    return _stacked(lines, 10)


def _badge(art: Art) -> Image.Image:
    words = _words(art)
    pad = round(0.3 * words.height)
    wide = words.width > 1.6 * words.height
    out = Image.new("RGBA", (words.width + 2 * pad, words.height + 2 * pad if wide else words.width + 2 * pad))
    pen = ImageDraw.Draw(out)
    box = (1, 1, out.width - 2, out.height - 2)
    if art.seed % 2 or wide:
        pen.rounded_rectangle(box, radius=pad * (art.seed % 3) / 2, fill=(*art.inks[1], 255))
        inner = tuple(b + s * pad * 0.25 for b, s in zip(box, (1, 1, -1, -1), strict=True))
        pen.rounded_rectangle(inner, radius=pad * (art.seed % 3) / 2, outline=(*art.inks[0], 255), width=3)
    else:
        pen.ellipse(box, fill=(*art.inks[1], 255), outline=(*art.inks[0], 255), width=max(2, pad // 5))
    out.alpha_composite(words, ((out.width - words.width) // 2, (out.height - words.height) // 2))
    return out


@lru_cache(maxsize=24)
def master(art: Art) -> Image.Image:
    """The print as an RGBA image whose longer side is MASTER pixels."""
    if art.form in ("words", "number"):
        image = _words(art)
    elif art.form == "badge":
        image = _badge(art)
    elif art.form == "logo":
        image = logo_picture(art.mark, 256, *art.inks, "", 0)
    else:
        image = draw_picture(art.mark, art.seed, art.inks[0], art.frame)
        if art.form == "words_picture":
            words = _words(art)
            words = words.resize((image.width, max(8, round(words.height * image.width / words.width))))
            image = _stacked([image, words] if art.seed % 2 else [words, image], 14)
    scale = MASTER / max(image.size)
    return image.resize((max(4, round(image.width * scale)), max(4, round(image.height * scale))))


def aspect(art: Art) -> float:
    """Height of the print divided by its width."""
    image = master(art)
    return image.height / image.width


def render_print(placed: Placed, resolution: float) -> np.ndarray:
    """The print at `resolution` pixels per metre: sRGB 0..255 and coverage 0..1, (h, w, 4) float32."""
    image = master(placed.art)
    width = max(3, round(placed.width * resolution))
    height = max(3, round(width * image.height / image.width))
    method = Image.Resampling.BOX if width < image.width else Image.Resampling.BICUBIC
    out = np.array(image.resize((width, height), method), np.float32)
    out[..., 3] /= 255
    return out


def draw_words(rng: np.random.Generator, held_out: bool, count: int) -> tuple[str, ...]:
    """Words for the lines of a print: from HELD_OUT_WORDS if `held_out`, else from WORDS or random letters."""
    if held_out:
        return tuple(HELD_OUT_WORDS[int(i)] for i in rng.integers(len(HELD_OUT_WORDS), size=count))
    if rng.random() < 0.25:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        text = "".join(letters[int(i)] for i in rng.integers(0, 26, int(rng.integers(2, 7))))
        return (text if text not in HELD_OUT_WORDS else "ABC",)
    return tuple(WORDS[int(i)] for i in rng.integers(len(WORDS), size=count))


def draw_art(rng: np.random.Generator, inks: tuple[Rgb, Rgb], held_out: bool = False, form: str = "") -> Art:
    """Draw a print in two inks; `form` is one of FORMS, or random if empty."""
    form = form or FORMS[int(rng.choice(6, p=[0.44, 0.14, 0.1, 0.19, 0.03, 0.1]))]
    lines = draw_words(rng, held_out, int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])))
    if form == "number":
        number = int(rng.integers(0, 14)) * 7 if held_out else int(rng.integers(0, 14)) * 7 + int(rng.integers(1, 7))
        lines = (str(number),)
    elif form == "badge":
        lines = lines[:2]
    elif form == "words_picture":
        lines = lines[:1]
    pictures = tuple(PICTURES)
    mark = pictures[int(rng.integers(len(pictures)))]
    if form == "logo":
        logos = tuple(logo for logo in LOGOS if logo != "number")
        mark = logos[int(rng.integers(len(logos)))]
    return Art(
        form,
        lines,
        int(rng.integers(len(FONTS))),
        float(rng.uniform(0.75, 1.25)),
        float(rng.uniform(0.06, 0.16)) if rng.random() < 0.2 else 0.0,
        bool(rng.random() < 0.25),
        mark,
        ("none", "none", "round", "arch", "soft")[int(rng.integers(5))],
        inks,
        int(rng.integers(1 << 16)),
    )
