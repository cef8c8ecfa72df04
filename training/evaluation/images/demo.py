"""Restore held-out pairs and show them on a contact sheet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.model.config import CATEGORIES
from igr_core.photo.images import load_mask, load_photo, save_image
from igr_core.photo.view import GarmentView, join_views, make_view
from igr_core.restore.detailed import Detailing, presented
from igr_core.restore.flattened import restore_flat
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.loop import Progress as StepProgress
from igr_core.sampling.presets import Sampling
from igr_core.text import counted

from ...data.contract.pairs import PairSource

PAIRS = Path(__file__).with_name("demo_pairs.tar")
"""The rendered pairs with seeds 10,002,000 to 10,002,015 (docs/rendered.md); no model was trained on them."""

FLIGHT_SUIT = (
    (113, 205), (70, 240), (38, 290), (20, 410), (28, 510), (100, 511), (130, 490), (275, 511), (285, 430),
    (310, 380), (362, 352), (355, 300), (340, 260), (305, 238), (300, 270), (255, 295), (190, 285), (140, 255),
)  # fmt: skip
"""Outline of the suit in scikit-image's astronaut, drawn by hand: (x, y) in its 512 x 512 pixels."""
COLUMNS = ("person", "mask", "restored", "from its pixels", "truth")
ENLARGED = 2
"""Size of the garment with the photo's pixels, relative to the model's size."""
BATCH = 8
"""Number of garments that are restored together."""
PAGE_WIDTH = 1120
"""Width in pixels of the image for web pages, where it is shown at half this width."""
CELL = (288, 384)
GAP = 8
TITLE_HEIGHT = 34
CAPTION_HEIGHT = 20
INK, PALE_INK, PAPER, LINE = (32, 32, 32), (112, 112, 112), (255, 255, 255), (216, 216, 216)


@dataclass(frozen=True)
class Subject:
    """A photo to restore a garment from."""

    name: str
    """Category and name of the pair, such as `upper-garment-010002000-photo-0`; the pair's files begin with it."""
    category: str
    """upper, lower or full."""
    person: Image.Image
    """The photo."""
    mask: Image.Image
    """Mask of the garment, 255 inside."""
    truth: Image.Image | None
    """The true garment on white; None if it is unknown."""


@dataclass(frozen=True)
class Example:
    """A restored garment."""

    subject: Subject
    """The photo that it was restored from."""
    restored: Tensor
    """The restored garment, (1, 3, H, W) in 0..1."""
    detailed: Tensor | None
    """The garment with the photo's own pixels, (1, 3, h, w) in 0..1: laid out flat or, without a flattener, enlarged
    with details transferred. None for a model with neither."""


@dataclass(frozen=True)
class Shown:
    """The results of a demo run."""

    sheet: Path
    """The contact sheet."""
    examples: list[Example]
    """The garments, in the order of their subjects."""
    seconds: float
    """Time from the views of the photos to the restored garments: image encoder, VAE, GarmNet and the steps."""


def first_pairs(source: PairSource, per_category: int) -> list[int]:
    """Indices of the first `per_category` pairs of each category; raises IGRError if a category has fewer."""
    of = {name: [n for n, entry in enumerate(source.entries) if entry.category == name] for name in CATEGORIES}
    for name, numbers in of.items():
        if len(numbers) < per_category:
            has = f"has only {counted(len(numbers), 'pair')}" if numbers else "has no pairs"
            raise IGRError(
                f"{source.title} {has} of the category {name}: choose "
                f"{'fewer per category with --count-per-category' if numbers else 'another data set with --data'}."
            )
    return [n for numbers in of.values() for n in numbers[:per_category]]


def subject_of(source: PairSource, index: int) -> Subject:
    """The subject for a pair of a data set."""
    entry = source.entries[index]
    name = f"{entry.category}-{entry.name}".replace("/", "-")
    return Subject(name, entry.category, source.person(index), source.mask(index), source.garment(index))


def astronaut() -> Subject:
    """scikit-image's photo of Eileen Collins, which is in the public domain, with a mask of her flight suit."""
    person = Image.fromarray(skimage.data.astronaut())
    mask = Image.new("L", person.size)
    ImageDraw.Draw(mask).polygon(FLIGHT_SUIT, fill=255)
    return Subject("upper-astronaut", "upper", person, mask, None)


def restore_examples(
    restorer: GarmentRestorer,
    subjects: Sequence[Subject],
    folder: Path,
    sampling: Sampling,
    on_step: StepProgress | None = None,
) -> tuple[list[Example], float]:
    """Write the images of subjects into `folder`, and restore all garments in one batch from these files.

    Returns the examples and the batch's time (`Shown.seconds`).
    """
    model = restorer.info.model
    views = [_view(restorer, subject, folder) for subject in subjects]
    joined = join_views([replace(view, photo=None, photo_mask=None) for view in views])
    categories, seeds = [subject.category for subject in subjects], [0] * len(subjects)
    start = time.monotonic()
    if model.garmnet is None:
        images = restorer.restore(joined, categories, sampling, seed=seeds, progress=on_step)
        seconds = time.monotonic() - start
        details: list[Tensor | None] = [None] * len(subjects)
    elif restorer.flattener is not None:
        size = ENLARGED * model.native_size[0], ENLARGED * model.native_size[1]
        conditions = restorer.conditions(joined, categories)
        images = restorer.restore(joined, categories, sampling, seed=seeds, progress=on_step, conditions=conditions)
        seconds = time.monotonic() - start
        found = restore_flat(
            restorer, restorer.flattener, join_views(views), categories, sampling, seed=seeds, conditions=conditions
        )
        details = [one.at(size)[None] for one in found]
    else:
        images, evidence = restorer.restore_with_evidence(joined, categories, sampling, seed=seeds, progress=on_step)
        seconds = time.monotonic() - start
        detailing = Detailing((ENLARGED * model.native_size[0], ENLARGED * model.native_size[1]))
        details = [
            presented(image, seen, view, detailing).image
            for image, seen, view in zip(images.split(1), evidence, views, strict=True)
        ]
    examples = [Example(*one) for one in zip(subjects, images.split(1), details, strict=True)]
    for one in examples:
        save_image(folder / f"{one.subject.name}-restored.png", one.restored)
        if one.detailed is not None:
            save_image(folder / f"{one.subject.name}-detailed.png", one.detailed)
    return examples, seconds


def _view(restorer: GarmentRestorer, subject: Subject, folder: Path) -> GarmentView:
    """The view of a subject's photo after it was written to the folder and read back."""
    model = restorer.info.model
    person, mask = folder / f"{subject.name}-person.png", folder / f"{subject.name}-mask.png"
    _save(subject.person, person)
    _save(subject.mask, mask)
    if subject.truth is not None:
        _save(_resized(subject.truth, model.native_size), folder / f"{subject.name}-truth.png")
    crop_size = model.image_encoder.image_size
    return make_view(load_photo(person), load_mask(mask), model.native_size, model.view, crop_size)


def contact_sheet(examples: Sequence[Example]) -> Image.Image:
    """A contact sheet with one line per example, under the titles in COLUMNS."""
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
        pen.text((GAP, top + CAPTION_HEIGHT // 2), example.subject.name, fill=PALE_INK, font=small, anchor="lm")
        for left, picture in zip(lefts, _cells(example), strict=True):
            _place(sheet, pen, picture, left, top + CAPTION_HEIGHT)
    return sheet


def run_demo(restorer: GarmentRestorer, subjects: Sequence[Subject], out: Path, sampling: Sampling) -> Shown:
    """Restore garments, with a progress bar on stderr, and write their contact sheet."""
    examples: list[Example] = []
    seconds = 0.0
    batches = [subjects[start : start + BATCH] for start in range(0, len(subjects), BATCH)]
    with tqdm(total=len(batches) * sampling.steps, desc="restoring", unit="step", leave=False) as bar:

        def on_step(_done: int, _total: int) -> None:
            bar.update()

        for batch in batches:
            restored, took = restore_examples(restorer, batch, out, sampling, on_step)
            examples += restored
            seconds += took
    sheet = out / "sheet.png"
    _save(contact_sheet(examples), sheet)
    return Shown(sheet, examples, seconds)


def write_page_image(examples: Sequence[Example], path: Path) -> None:
    """Write the contact sheet as a JPEG that is PAGE_WIDTH pixels wide."""
    sheet = contact_sheet(examples)
    small = _resized(sheet, (PAGE_WIDTH, round(sheet.height * PAGE_WIDTH / sheet.width)))
    with atomic_file(path) as temporary:
        small.save(temporary, format="JPEG", quality=88, optimize=True)


def _cells(example: Example) -> Iterator[Image.Image]:
    yield example.subject.person
    yield example.subject.mask.convert("RGB")
    yield _picture(example.restored)
    yield _unknown() if example.detailed is None else _picture(example.detailed)
    yield example.subject.truth or _unknown()


def _unknown() -> Image.Image:
    cell = Image.new("RGB", CELL, PAPER)
    middle = (CELL[0] // 2, CELL[1] // 2)
    ImageDraw.Draw(cell).text(middle, "unknown", fill=PALE_INK, font=ImageFont.load_default(20), anchor="mm")
    return cell


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
