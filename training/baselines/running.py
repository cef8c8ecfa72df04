"""Restore a data set with a method in batches; existing images are kept, and unusable photos are reported and
skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.outputs import CannotWrite
from igr_core.restore.jobs import Report

from ..data.contract.pairs import PairSource
from ..evaluation.images.adapters import METHODS
from ..evaluation.images.claims import check_claim, claim
from ..evaluation.images.subjects import save_picture
from .method import Item, Method

NAME = "baseline.json"
"""Name of the file with the settings that a folder's images were made with."""
Canvas = Literal["reference", "own"]
"""`reference`: the canvas of the true garment, ready for scoring; `own`: the method's own."""
WITHOUT_GARMENTS = (768, 1024)
"""Width and height of images for a data set without flat garments: those of VITON-HD's garments."""


@dataclass(frozen=True)
class Run:
    """What to restore, and where to write it."""

    source: PairSource
    """The data set."""
    out: Path
    """Folder for NAME.png."""
    adapter: str
    """Name of the method in evaluation.images.adapters.METHODS."""
    canvas: Canvas = "reference"
    """Canvas of the images."""
    batch: int = 4
    """Number of photos to restore together."""


def file_names(source: PairSource) -> list[str]:
    """File name (without suffix) of each pair's garment: the photo's name, or the pair's if several pairs share the
    photo.

    Experiments find images by either name. Raises IGRError if two names are equal.
    """
    photos = [source.photo_name(row) for row in range(len(source))]
    counts = Counter(photos)
    names = [photo if counts[photo] == 1 else _pair_name(source, row) for row, photo in enumerate(photos)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise IGRError(f"{source.title} has two pairs with the file name {twice[0]}: rename one of them.")
    return names


def restore_all(run: Run, described: dict[str, Any], prepare: Callable[[], Method[Any]]) -> Report:
    """Write the garment of every pair whose image does not exist yet.

    `described` contains everything that affects the images. `prepare` loads the method, and is not called if nothing is
    left to do. Raises IGRError if existing images were made with other settings or by another program, or if the method
    fails, and CannotWrite at the first image that cannot be written.
    """
    names = file_names(run.source)
    there = {row for row, name in enumerate(names) if (run.out / f"{name}.png").exists()}
    report = Report(skipped=[run.out / f"{names[row]}.png" for row in sorted(there)])
    if report.skipped and not (run.out / NAME).is_file():
        raise IGRError(
            f"{run.out} contains {report.skipped[0].name}, but no {NAME} with its settings: choose another --out."
        )
    check_claim(run.out / NAME, described)
    left = [row for row in range(len(names)) if row not in there]
    if not left:
        return report
    method = prepare()
    claim(run.out / NAME, described)
    with tqdm(total=len(left), desc="restoring", unit="photo") as bar:
        for start in range(0, len(left), run.batch):
            rows = left[start : start + run.batch]
            _restore(run, method, {row: names[row] for row in rows}, report)
            bar.update(len(rows))
    return report


def other_categories(source: PairSource, known: Sequence[str]) -> str | None:
    """A sentence stating how many pairs have a category that the method was not trained on; None if there are none."""
    count = sum(entry.category not in known for entry in source.entries)
    if not count:
        return None
    return (
        f"{count:,} of {len(source):,} pairs {'has' if count == 1 else 'have'} a category that this model was not "
        f"trained on; it was trained on {', '.join(known)}."
    )


def _restore(run: Run, method: Method[Any], names: dict[int, str], report: Report) -> None:
    """Restore and write one batch; photos that cannot be used are recorded in the report."""
    loaded: list[tuple[Item, Any, tuple[int, int] | None]] = []
    for row in names:
        try:
            item = _item(run.source, row)
            loaded.append((item, method.load(item), _canvas(run, row)))
        except IGRError as error:
            report.failed[names[row]] = str(error)
    if not loaded:
        return
    items, photos, sizes = (list(column) for column in zip(*loaded, strict=True))
    for item, size, image in zip(items, sizes, _generated(method, items, photos), strict=True):
        if isinstance(image, IGRError):
            report.failed[names[item.index]] = str(image)
            continue
        path = run.out / f"{names[item.index]}.png"
        try:
            save_picture(path, image if size is None else METHODS[run.adapter](image, size))
            report.done.append(path)
        except CannotWrite:
            raise
        except IGRError as error:
            report.failed[names[item.index]] = str(error)


def _generated(method: Method[Any], items: Sequence[Item], photos: Sequence[Any]) -> Sequence[Image.Image | IGRError]:
    """The garments of a batch. If the batch fails, photos are restored one by one, and an error is returned for each
    photo that fails again."""
    try:
        return method.generate(items, photos)
    except IGRError as error:
        if len(items) == 1:
            return [error]
    return [one for item, photo in zip(items, photos, strict=True) for one in _generated(method, [item], [photo])]


def _item(source: PairSource, row: int) -> Item:
    entry = source.entries[row]
    return Item(row, _pair_name(source, row), source.photo_name(row), entry.category, source.person(row))


def _canvas(run: Run, row: int) -> tuple[int, int] | None:
    """Width and height of a pair's image; None for the method's own."""
    if run.canvas == "own":
        return None
    return run.source.garment(row).size if run.source.has_garments else WITHOUT_GARMENTS


def _pair_name(source: PairSource, row: int) -> str:
    return source.entries[row].name.replace("/", "_")
