"""Read and write WebDataset shards: tars of KEY.person.jpg, KEY.garment.jpg, KEY.mask.png and KEY.json."""

from __future__ import annotations

import hashlib
import io
import json
import math
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import atomic_file, make_folder
from igr_core.model.config import CATEGORIES
from igr_core.photo.image_files import IMAGE_SUFFIXES
from igr_core.text import one_line

from ..contract.keypoints import JOINTS_25, Joint, Keypoints
from ..contract.pairs import PairEntry, PairSource
from ..contract.parsing import TABLES, Parsing
from ..files.images import mask_of, parsing_of, photo_of, read_json, size_of
from ..files.tar_index import TarIndex, index_tar, write_index
from ..files.tar_names import compressed_in, shard_urls, tars_in

JPEG_QUALITY = 95
"""JPEG quality of photos and garments when they are written; colour is not subsampled."""

PACKED_FROM = "packed_from"
"""Entry in a sample's JSON that lets a later run detect that the pair has changed."""


class TarPairs(PairSource):
    """Pairs from WebDataset shards, local or at a URL (s3://, http:// and others, read with fsspec).

    `KEY.json` is {"category": "upper"}, and may also contain the pair's name in its original data set, its joints and
    the label table of `KEY.parsing.png`. `KEY.cover.png` is optional. A `SHARD.tar.index.json` beside a shard, as
    written by `write_tars`, avoids scanning the tar.
    """

    layout = "tars"

    def __init__(self, shards: str, categories: Sequence[str] = CATEGORIES) -> None:
        """`shards` is a folder, a tar, or a path or URL with braces, such as `https://host/shard-{000000..000009}.tar`.

        Raises IGRError for a shard that does not exist or is not a tar, and for a sample without person, mask or
        category.
        """
        urls = shard_urls(shards)
        self._places: list[tuple[TarIndex, str]] = []
        entries = []
        for url in urls:
            index = index_tar(url)
            for key in index.samples:
                entry = _entry(index, key)
                if entry.category in categories:
                    entries.append(entry)
                    self._places.append((index, key))
        self._has_garments = any(_member(index, key, "garment") for index, key in self._places)
        if "://" not in shards:
            self.unlisted = tuple(compressed_in(Path(shards)))
        super().__init__(f"the shards {shards}", entries)

    @property
    def has_garments(self) -> bool:
        return self._has_garments

    def missing(self, index: int) -> list[str]:
        tar, key = self._places[index]
        has_it = not self.has_garments or _member(tar, key, "garment") is not None
        return [] if has_it else [f"{tar.url}:{key}.garment.jpg"]

    def content(self, index: int) -> str:
        tar, key = self._places[index]
        digest = hashlib.sha256()
        for ending in sorted(tar.samples[key]):
            data = tar.read(key, ending)
            digest.update(f"{ending} {len(data)} ".encode() + data)
        return digest.hexdigest()

    def person(self, index: int) -> Image.Image:
        return photo_of(*self._read(index, "person"))

    def mask(self, index: int) -> Image.Image:
        return mask_of(*self._read(index, "mask"), size_of(*self._read(index, "person")))

    def garment(self, index: int) -> Image.Image:
        if not self.has_garments:
            return super().garment(index)
        return photo_of(*self._read(index, "garment"))

    def parsing(self, index: int) -> Parsing | None:
        if _member(*self._places[index], "parsing") is None:
            return None
        data, name = self._read(index, "parsing")
        table = TABLES.get(str(self._label(index).get("parsing")))
        if table is None:
            raise IGRError(f"{name} has no label table: set `parsing` in its JSON to one of {', '.join(TABLES)}.")
        return parsing_of(data, name, table, size_of(*self._read(index, "person")))

    def keypoints(self, index: int) -> Keypoints | None:
        tar, key = self._places[index]
        name = f"{tar.url}:{key}.json"
        joints = read_json(tar.read(key, "json"), name).get("keypoints")
        if joints is None:
            return None
        try:
            found = {name: _joint(joints[name]) for name in JOINTS_25 if name in joints}
        except (TypeError, ValueError, OverflowError) as error:
            raise IGRError(
                f'{name}: keypoints must be {{"neck": [x, y, confidence], ...}} with finite numbers: '
                "write the shards again."
            ) from error
        return Keypoints(found)

    def garment_cover(self, index: int) -> Image.Image | None:
        if _member(*self._places[index], "cover") is None:
            return None
        return mask_of(*self._read(index, "cover"), size_of(*self._read(index, "garment")))

    def _read(self, index: int, part: str) -> tuple[bytes, str]:
        """A part of a sample as bytes, and its name for messages."""
        tar, key = self._places[index]
        ending = _member(tar, key, part)
        if ending is None:
            raise _incomplete(tar, key, part)
        return tar.read(key, ending), f"{tar.url}:{key}.{ending}"

    def _label(self, index: int) -> dict[str, Any]:
        tar, key = self._places[index]
        return tar.labels[key]


@dataclass(frozen=True)
class TarPlan:
    """The shards to write for a data set."""

    source: PairSource
    """The data set."""
    folder: Path
    """Folder of the shards."""
    shards: dict[Path, range]
    """Rows of the data set that each shard contains."""
    kept: frozenset[Path]
    """Shards that an earlier run completed."""


def write_tars(source: PairSource, folder: Path, pairs_per_tar: int = 500) -> list[Path]:
    """Write any data set as shards `shard-000000.tar` and so on, each with an index file; returns their paths.

    Complete shards are kept, so that an interrupted run can be resumed. Raises IGRError as plan_tars does, or if a pair
    cannot be read.
    """
    return write_planned(plan_tars(source, folder, pairs_per_tar))


def plan_tars(source: PairSource, folder: Path, pairs_per_tar: int = 500) -> TarPlan:
    """Plan the shards of a data set; nothing is written.

    Raises IGRError if two pairs' names differ only in dots, or if the folder contains shards of other pairs, shards
    that were packed with other masks, or shards whose source files have changed since.
    """
    _check_keys(source)
    starts = range(0, len(source), pairs_per_tar)
    shards = {
        folder / f"shard-{number:06d}.tar": range(start, min(start + pairs_per_tar, len(source)))
        for number, start in enumerate(starts)
    }
    kept = frozenset(path for path in shards if path.exists())
    for path in tars_in(folder):
        if path not in shards:
            raise IGRError(f"{path} does not belong to these pairs: delete it, or pack into an empty folder.")
    for path in sorted(kept):
        _check_kept(path, source, shards[path])
    return TarPlan(source, folder, shards, kept)


def write_planned(plan: TarPlan) -> list[Path]:
    """Write the shards of a plan that do not exist yet; returns the paths of all of its shards."""
    make_folder(plan.folder)
    for path, rows in tqdm(plan.shards.items(), unit="shard", desc=f"packing into {plan.folder}"):
        if path not in plan.kept:
            with atomic_file(path) as temporary, tarfile.open(temporary, "w") as tar:
                for row in rows:
                    _add_sample(tar, plan.source, row)
        write_index(path)
    return list(plan.shards)


def _entry(index: TarIndex, key: str) -> PairEntry:
    label = index.labels.get(key)
    if not isinstance(label, dict) or label.get("category") not in CATEGORIES:
        raise IGRError(f'{index.url}: {key}.json must exist and contain {{"category": "upper"}}, lower or full.')
    for part in ("person", "mask"):
        if _member(index, key, part) is None:
            raise _incomplete(index, key, part)
    return PairEntry(one_line(str(label.get("name", key))), label["category"])


def _incomplete(index: TarIndex, key: str, part: str) -> IGRError:
    ending = f"{part}.{'png' if part == 'mask' else 'jpg'}"
    return IGRError(f"{index.url}: {key} has no {part}: add {key}.{ending}, or write the shard without {key}.")


def _joint(numbers: Sequence[Any]) -> Joint:
    """Make a joint from x, y and confidence; raises ValueError if one of them is not finite."""
    x, y, confidence = map(float, numbers)
    if not all(map(math.isfinite, (x, y, confidence))):
        raise ValueError("a number is not finite")
    return Joint(x, y, confidence)


def _member(index: TarIndex, key: str, part: str) -> str | None:
    """Ending of a part of a sample: `person.jpg`, `person.png`, ..."""
    members = index.samples[key]
    return next((f"{part}{suffix}" for suffix in IMAGE_SUFFIXES if f"{part}{suffix}" in members), None)


def _add_sample(tar: tarfile.TarFile, source: PairSource, row: int) -> None:
    entry, parsing, joints = source.entries[row], source.parsing(row), source.keypoints(row)
    label: dict[str, Any] = {"category": entry.category, "name": entry.name, PACKED_FROM: _packed_from(source, row)}
    if joints is not None:
        label["keypoints"] = {name: [one.x, one.y, one.confidence] for name, one in joints.joints.items()}
    if parsing is not None:
        label["parsing"] = parsing.table.name
    cover = source.garment_cover(row) if source.has_garments else None
    members = {
        "json": json.dumps(label).encode(),
        "person.jpg": _jpeg(source.person(row)),
        "garment.jpg": _jpeg(source.garment(row)) if source.has_garments else None,
        "mask.png": _png(source.mask(row)),
        "parsing.png": _png(Image.fromarray(parsing.labels.astype(np.uint8))) if parsing is not None else None,
        "cover.png": _png(cover) if cover is not None else None,
    }
    for ending, data in members.items():
        if data is not None:
            member = tarfile.TarInfo(f"{_key(entry.name)}.{ending}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def _key(name: str) -> str:
    """A pair's name without dots, because WebDataset's keys end at the first dot."""
    return name.replace(".", "_")


def _check_keys(source: PairSource) -> None:
    """Raise IGRError if two pairs would have the same key."""
    seen: dict[str, str] = {}
    for entry in source.entries:
        other = seen.setdefault(_key(entry.name), entry.name)
        if other != entry.name:
            raise IGRError(f"{entry.name} and {other} differ only in dots, which shards replace: rename one of them.")


def _packed_from(source: PairSource, row: int) -> str:
    """Hash of everything that a pair is packed from."""
    described = f"{source.entries[row].category} {source.has_garments} {source.content(row)}"
    return hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _check_kept(path: Path, source: PairSource, rows: range) -> None:
    """Raise IGRError unless an existing shard has the content that would be packed now."""
    labels = list(index_tar(str(path)).labels.values())
    if [label.get("name") for label in labels] != [source.entries[row].name for row in rows]:
        raise IGRError(f"{path} already exists with other pairs: delete it, or pack into an empty folder.")
    for label, row in zip(labels, rows, strict=True):
        if PACKED_FROM not in label:
            raise IGRError(f"{path} does not record what it was packed from: delete it, or pack into an empty folder.")
        if label[PACKED_FROM] != _packed_from(source, row):
            raise IGRError(
                f"{path} was packed with other options, or before a file of {source.entries[row].name} was changed: "
                "delete it, or pack into an empty folder."
            )


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
