"""Contact sheets of rendered pairs: pairs, one photo in many fabrics, and one garment on many people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.text import counted

from ..contract.seeds import HELD_OUT_START
from .pairs import RenderedPair, dress_record
from .source import RenderedConfig, RenderedPairs

GAP, CAPTION = 3, 14
PAPER, INK, TABLE = (90, 90, 90), (255, 255, 255), (40, 40, 40)
MOST_PHOTOS = 3
"""Maximum number of photos next to a product shot."""


def chosen_pairs(
    records: str, count: int, first: int, dress_seed: int, category: str | None = None, defect: str | None = None
) -> list[RenderedPair]:
    """`count` pairs from a folder of records, starting at pair number `first`; optionally of one category.

    `defect` selects pairs with that defect, or with any defect if it is `all`; None selects pairs without a defect.
    Raises IGRError if there are no such pairs.
    """
    source = RenderedPairs(records, RenderedConfig(dress_seed, keep_defects=True))
    rows = []
    for row in range(first, len(source)):
        place = source.places[row]
        metadata = source.shards.metadata(place.seed)
        found = {**metadata["attributes"], **metadata["photos"][place.photo]["attributes"]}.get("defect", "none")
        fits = category in (None, source.entries[row].category)
        if fits and (found == "none" if defect is None else found == defect or (defect == "all" and found != "none")):
            rows.append(row)
    if not rows:
        raise IGRError(
            f"{records} contains no such pairs starting at number {first}: render more records, or choose other pairs."
        )
    return [source.pair(row) for row in rows[:count]]


def write_dressings(path: Path, records: str, row: int, count: int, width: int, columns: int) -> Path:
    """Write a photo and its product shot in `count` different fabrics."""
    source = RenderedPairs(records, RenderedConfig(keep_defects=True))
    if row >= len(source):
        pairs = counted(len(source), "pair")
        raise IGRError(f"{records} contains {pairs}, so pair number {row} does not exist: choose a smaller number.")
    place = source.places[row]
    record = source.shards.read(place.seed)
    held_out = place.seed >= HELD_OUT_START
    strips = []
    for dress_seed in range(count):
        pair = dress_record(record, place.photo, dress_seed, held_out)
        strips.append(_strip([pair.person, pair.garment], str(pair.attributes.get("pattern", "")), width))
    return _write(path, strips, columns)


def write_photos(path: Path, records: str, count: int, first: int, dress_seed: int, width: int, columns: int) -> Path:
    """Write `count` product shots with their photos, those with most photos first; the first `first` seeds are
    skipped."""
    source = RenderedPairs(records, RenderedConfig(dress_seed, keep_defects=True))
    seeds = source.shards.seeds[first:]
    photos = {seed: min(len(source.shards.metadata(seed)["photos"]), MOST_PHOTOS) for seed in seeds}
    strips = []
    for seed in sorted(seeds, key=lambda seed: (-photos[seed], seed))[:count]:
        record = source.shards.read(seed)
        pairs = [
            dress_record(record, photo, dress_seed, held_out=seed >= HELD_OUT_START) for photo in range(photos[seed])
        ]
        caption = " ".join(str(record.attributes.get(name, "")) for name in ("cut", "fit"))
        strips.append(_strip([pairs[0].garment, *(pair.person for pair in pairs)], caption, width))
    return _write(path, strips, columns)


def _strip(pictures: Sequence[Image.Image], caption: str, width: int) -> Image.Image:
    height = width * 4 // 3
    strip = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height + CAPTION), PAPER)
    for number, picture in enumerate(pictures):
        strip.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (number * (width + GAP), CAPTION))
    ImageDraw.Draw(strip).text((3, 1), caption.replace("_", " "), fill=INK)
    return strip


def _write(path: Path, strips: Iterable[Image.Image], columns: int) -> Path:
    placed = list(strips)
    if not placed:
        raise IGRError(f"{path} would be empty: choose a smaller number, or a folder with records.")
    width, height = max(strip.width for strip in placed), placed[0].height
    rows = -(-len(placed) // columns)
    sheet = Image.new("RGB", (columns * (width + 2 * GAP), rows * (height + GAP)), TABLE)
    for number, strip in enumerate(placed):
        sheet.paste(strip, (number % columns * (width + 2 * GAP), number // columns * (height + GAP)))
    make_folder(path.parent)
    sheet.save(path)
    return path
