"""Draw an image that summarises an experiment: people, ground truth and each row's garments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.photo.image_files import decode_image
from igr_core.photo.images import photo_of_image

from ..result import Result

CELL = (150, 200)
"""Width and height of an image on the sheet."""
_GAP, _HEAD = 6, 40
_PAPER, _INK, _LINE = (255, 255, 255), (32, 32, 32), (216, 216, 216)


def write_sheet(
    path: Path,
    persons: Path,
    truth: Path | None,
    rows: Sequence[Result],
    names: Sequence[str],
    picture: Callable[[Result, str], Path | None],
) -> None:
    """Write a PNG with a line for each name: person, ground truth (if it exists), and `picture(row, name)` of each row.

    A cell stays empty if `picture` returns None. Raises IGRError for an image that does not exist or cannot be read.
    """
    heads = ["person", *(["truth"] if truth is not None else []), *(row.name for row in rows)]
    width = _GAP + len(heads) * (CELL[0] + _GAP)
    sheet = Image.new("RGB", (width, _HEAD + len(names) * (CELL[1] + _GAP)), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    lefts = [_GAP + column * (CELL[0] + _GAP) for column in range(len(heads))]
    for left, head in zip(lefts, heads, strict=True):
        text = _wrapped(head, pen, font)
        pen.multiline_text((left + CELL[0] // 2, _HEAD // 2), text, _INK, font, anchor="mm", align="center", spacing=1)
    for line, name in enumerate(names):
        paths: list[Path | None] = [persons / f"{name}.png", *([truth / f"{name}.png"] if truth is not None else [])]
        paths += [picture(row, name) for row in rows]
        top = _HEAD + line * (CELL[1] + _GAP)
        for left, one in zip(lefts, paths, strict=True):
            if one is not None:
                sheet.paste(_cell(one), (left, top))
            pen.rectangle((left, top, left + CELL[0] - 1, top + CELL[1] - 1), outline=_LINE)
    with atomic_file(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)


def _cell(path: Path) -> Image.Image:
    try:
        picture = photo_of_image(decode_image(path, str(path)), str(path))
    except IGRError as error:
        raise IGRError(f"{error} Alternatively, run the experiment again.") from error
    return ImageOps.pad(picture, CELL, Image.Resampling.LANCZOS, color="white")


def _wrapped(text: str, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Wrap text to the width of a cell."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font) <= CELL[0] or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)
