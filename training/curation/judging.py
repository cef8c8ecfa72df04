"""Judge every pair of a data set in several processes; an interrupted run can be resumed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from PIL import Image, ImageOps
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.json_text import parse_json

from ..data.contract.pairs import PairSource
from ..data.opening import DataSetConfig, open_data_set
from .duplicates import dhash
from .evidence import flat_cover, gather
from .manifest import Judged
from .proportion import refit
from .scores import CurationConfig, Scores, score

SCORES = "scores.jsonl"
"""File with the findings for each pair, next to the manifest."""
THUMB = (144, 192)
"""Width and height in pixels of the photo and of the flat garment on a card."""
_opened: dict[str, tuple[PairSource, CurationConfig, Path]] = {}


def judge(source: PairSource, index: int, config: CurationConfig) -> tuple[Judged, Image.Image]:
    """Judge one pair: returns its scores, box for rescaling and hashes, and its thumbnail. Raises IGRError for an
    unreadable file."""
    entry = source.entries[index]
    person, garment = source.person(index).convert("RGB"), source.garment(index).convert("RGB")
    found = score(gather(source, index), config)
    box = refit(flat_cover(source, index), garment.size, config.fill)
    return Judged(entry.name, entry.category, found, box, dhash(person), dhash(garment)), _thumbnail(person, garment)


def judge_all(
    data: DataSetConfig, source: PairSource, config: CurationConfig, out: Path, workers: int
) -> tuple[list[Judged], list[str]]:
    """All judged pairs, and a sentence for each unreadable pair; pairs judged in an earlier run are not read again.

    Raises IGRError if `out` contains scores for another data set or with other settings.
    """
    make_folder(out / "thumbs")
    heading = {"title": source.title, "settings": asdict(config)}
    known = _read_known(out / SCORES, heading)
    todo = [index for index, entry in enumerate(source.entries) if entry.name not in known]
    problems = []
    with _appending(out / SCORES, heading) as handle:
        bar = tqdm(_judged(data, source, todo, config, out, workers), total=len(todo), desc="scoring", unit="pair")
        for found in bar:
            if isinstance(found, str):
                problems.append(found)
                continue
            known[found.name] = found
            handle.write(json.dumps(asdict(found)) + "\n")
            handle.flush()
    return [known[entry.name] for entry in source.entries if entry.name in known], problems


def judged_before(path: Path) -> list[Judged]:
    """The judged pairs in an earlier run's file; raises IGRError if the file cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [_from_line(line) for line in lines[1:]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IGRError(f"{path} cannot be read ({error}): delete the file, and score the pairs again.") from error


def thumb_name(name: str) -> str:
    """File name of a pair's thumbnail, safe for any characters in the pair's name."""
    return f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.jpg"


def _judged(
    data: DataSetConfig, source: PairSource, todo: Sequence[int], config: CurationConfig, out: Path, workers: int
) -> Iterator[Judged | str]:
    if workers == 1 or len(todo) < 2:
        _opened["here"] = (source, config, out)
        yield from map(_look, todo)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of PyTorch's threads
    with ProcessPoolExecutor(workers, context, _open, (data, config, out)) as pool:
        yield from pool.map(_look, todo, chunksize=8)


def _open(data: DataSetConfig, config: CurationConfig, out: Path) -> None:
    _opened["here"] = (open_data_set(data), config, out)


def _look(index: int) -> Judged | str:
    source, config, out = _opened["here"]
    try:
        found, thumbnail = judge(source, index, config)
    except IGRError as error:
        return f"{source.entries[index].name}: {error}"
    with atomic_file(out / "thumbs" / thumb_name(found.name)) as temporary:
        thumbnail.save(temporary, quality=80)
    return found


def _thumbnail(person: Image.Image, garment: Image.Image) -> Image.Image:
    width, height = THUMB
    sheet = Image.new("RGB", (2 * width, height), "white")
    for place, picture in enumerate((person, garment)):
        fitted = ImageOps.contain(picture, THUMB, Image.Resampling.LANCZOS)
        sheet.paste(fitted, (place * width + (width - fitted.width) // 2, (height - fitted.height) // 2))
    return sheet


@contextmanager
def _appending(path: Path, heading: dict[str, Any]) -> Iterator[TextIO]:
    """Open the file for appending, and write its heading if it is new; raises IGRError if it cannot be written."""
    try:
        with path.open("a", encoding="utf-8") as handle:
            if handle.tell() == 0:
                handle.write(json.dumps(heading) + "\n")
            yield handle
    except OSError as error:
        raise IGRError(
            f"{path} cannot be written ({error.strerror}): free some space, and run the same command again."
        ) from error


def _read_known(path: Path, heading: dict[str, Any]) -> dict[str, Judged]:
    """Judged pairs from an earlier run, by name; an incomplete last line is removed."""
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IGRError(f"{path} cannot be read ({error}): delete the file, and score the pairs again.") from error
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if not text:
        return {}
    first = parse_json(text.splitlines()[0], f"{path}, line 1,", "delete the file, and score the pairs again")
    if first != heading:
        raise IGRError(f"{path} belongs to another data set or has other settings: score into a new folder.")
    return {found.name: found for found in judged_before(path)}


def _from_line(line: str) -> Judged:
    data = parse_json(line, "a line", "score the pairs again")
    return Judged(**{**data, "scores": Scores(**data["scores"]), "box": tuple(data["box"])})
