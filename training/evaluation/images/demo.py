"""Restore held-out synthetic people and show them on a contact sheet."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from tqdm import tqdm

from igr_core.files import atomic_file
from igr_core.model.config import CATEGORIES
from igr_core.photo.images import load_mask, load_photo, save_image
from igr_core.photo.view import make_view
from igr_core.restore.restorer import GarmentRestorer
from igr_core.restore.sampling import Progress as StepProgress

from ...data.caches.draw_config import DrawConfig
from ...data.contract.seeds import HELD_OUT_START
from ...data.synthetic import Pair, make_pair

FIRST_SEED = HELD_OUT_START + 1000
"""First seed of the demo's people: no model was trained on them, and none was chosen by hand."""
PHOTOS = DrawConfig()
"""Settings for drawing the photos, the same as in training."""

COLUMNS = ("person", "mask", "crop", "restored", "truth")
CELL = (288, 384)
GAP = 8
TITLE_HEIGHT = 34
CAPTION_HEIGHT = 20
INK, PALE_INK, PAPER, LINE = (32, 32, 32), (112, 112, 112), (255, 255, 255), (216, 216, 216)


@dataclass(frozen=True)
class Example:
    """One restored person."""

    seed: int
    """Seed of the pair."""
    pair: Pair
    """Person, mask and true garment."""
    crop: Tensor
    """Input of the image encoder, p_g, (1, 3, S, S) in 0..1."""
    restored: Tensor
    """The restored garment, (1, 3, H, W) in 0..1."""

    @property
    def caption(self) -> str:
        """Category, cut, pattern and seed in one line."""
        words = (self.pair.category, self.pair.attributes.get("cut"), self.pair.attributes.get("pattern"))
        return " · ".join(dict.fromkeys(str(word) for word in (*words, f"seed {self.seed}") if word))


def held_out_pairs(per_category: int, first: int = FIRST_SEED) -> list[tuple[int, Pair]]:
    """The first `per_category` pairs of each category with a visible garment, starting at seed `first`."""
    found: dict[str, list[tuple[int, Pair]]] = {category: [] for category in CATEGORIES}
    for seed in itertools.count(first):
        pair = make_pair(seed, PHOTOS.photo_size, coarse=PHOTOS.coarse)
        if len(found[pair.category]) < per_category and pair.garment_mask.getbbox() is not None:
            found[pair.category].append((seed, pair))
        if all(len(some) == per_category for some in found.values()):
            break
    return [one for some in found.values() for one in some]


def restore_example(
    restorer: GarmentRestorer,
    seed: int,
    pair: Pair,
    folder: Path,
    steps: int,
    guidance: float,
    on_step: StepProgress | None = None,
) -> Example:
    """Write a pair's images into `folder`, then restore the garment from those files as from a user's files."""
    model = restorer.info.model
    paths = {name: folder / f"{pair.category}-{seed}-{name}.png" for name in ("person", "mask", "restored", "truth")}
    pictures = (
        ("person", pair.person),
        ("mask", pair.garment_mask),
        ("truth", _resized(pair.garment, model.native_size)),
    )
    for name, picture in pictures:
        _save(picture, paths[name])
    view = make_view(
        load_photo(paths["person"]),
        load_mask(paths["mask"]),
        model.native_size,
        model.view,
        model.image_encoder.image_size,
    )
    restored = restorer.restore(view, pair.category, steps=steps, guidance=guidance, progress=on_step)
    save_image(paths["restored"], restored)
    return Example(seed, pair, view.crop, restored)


def contact_sheet(examples: Sequence[Example]) -> Image.Image:
    """One line per example under the titles of COLUMNS."""
    line_height = CAPTION_HEIGHT + CELL[1] + GAP
    width = GAP + len(COLUMNS) * (CELL[0] + GAP)
    sheet = Image.new("RGB", (width, TITLE_HEIGHT + len(examples) * line_height), PAPER)
    pen = ImageDraw.Draw(sheet)
    title, small = ImageFont.load_default(20), ImageFont.load_default(13)
    lefts = [GAP + column * (CELL[0] + GAP) for column in range(len(COLUMNS))]
    for left, name in zip(lefts, COLUMNS, strict=True):
        pen.text((left + CELL[0] // 2, TITLE_HEIGHT // 2), name, fill=INK, font=title, anchor="mm")
    for row, example in enumerate(examples):
        top = TITLE_HEIGHT + row * line_height
        pen.text((GAP, top + CAPTION_HEIGHT // 2), example.caption, fill=PALE_INK, font=small, anchor="lm")
        for left, picture in zip(lefts, _cells(example), strict=True):
            _place(sheet, pen, picture, left, top + CAPTION_HEIGHT)
    return sheet


def run_demo(
    restorer: GarmentRestorer, out: Path, count_per_category: int, steps: int, guidance: float
) -> tuple[Path, list[Example]]:
    """Restore the demo's people with a progress bar on stderr; returns the contact sheet's path and the examples."""
    examples = []
    pairs = held_out_pairs(count_per_category)
    with tqdm(total=len(pairs) * steps, unit="step", leave=False) as bar:
        for number, (seed, pair) in enumerate(pairs, start=1):
            bar.set_description(f"restoring garment {number} of {len(pairs)}")

            def on_step(_done: int, _total: int) -> None:
                bar.update()

            examples.append(restore_example(restorer, seed, pair, out, steps, guidance, on_step))
    sheet = out / "sheet.png"
    _save(contact_sheet(examples), sheet)
    return sheet, examples


def _cells(example: Example) -> Iterator[Image.Image]:
    yield example.pair.person
    yield example.pair.garment_mask.convert("RGB")
    yield _picture(example.crop)
    yield _picture(example.restored)
    yield example.pair.garment


def _place(sheet: Image.Image, pen: ImageDraw.ImageDraw, picture: Image.Image, left: int, top: int) -> None:
    """Fit an image into the cell at (left, top), centred, with a thin line around the cell."""
    scale = min(CELL[0] / picture.width, CELL[1] / picture.height)
    fitted = _resized(picture, (round(picture.width * scale), round(picture.height * scale)))
    sheet.paste(fitted, (left + (CELL[0] - fitted.width) // 2, top + (CELL[1] - fitted.height) // 2))
    pen.rectangle((left - 1, top - 1, left + CELL[0], top + CELL[1]), outline=LINE)


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray((image[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy())  # (H, W, C)


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_file(path) as temporary:
        picture.save(temporary, format="PNG")
