"""Draw small data sets in the published layouts, so that every step can be tried without a download."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageDraw

from igr_core.errors import IGRError
from igr_core.files import make_folder

from .contract.keypoints import JOINTS_18, JOINTS_25
from .contract.parsing import ATR, LIP, LabelTable, palette_bytes
from .layouts.dresscode import FOLDERS
from .layouts.leaks import VITON_HD_LEFT_OUT
from .layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from .layouts.tars import write_tars
from .synthetic import Pair, make_pair
from .synthetic.painting.canvas import LABELS

LIP_NUMBERS = dict(zip(LABELS, (0, 2, 13, 10, 14, 15, 16, 17, 18, 19, 5, 9, 6, 7, 0, 0), strict=True))
"""VITON-HD's number for each of the generator's labels; a skirt is 12 instead of 9."""
ATR_NUMBERS = dict(zip(LABELS, (0, 2, 11, 11, 14, 15, 12, 13, 9, 10, 4, 6, 7, 4, 16, 0), strict=True))
"""DressCode's and StreetTryOn's number for each of the generator's labels; a skirt is 5 instead of 6."""
LIMBS = (
    ("neck", "nose"), ("neck", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("neck", "mid_hip"),
    ("mid_hip", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("mid_hip", "left_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
)  # fmt: skip
"""Joints that are connected in drawings."""


class PairMaker(Protocol):
    """A callable that draws pairs, with the interface of synthetic.make_pair."""

    def __call__(self, seed: int, size: tuple[int, int], *, category: str | None = None) -> Pair: ...


def write_fixture(
    layout: str,
    out: Path,
    count: int = 6,
    seed: int = 0,
    size: tuple[int, int] = (192, 256),
    make: PairMaker = make_pair,
) -> None:
    """Draw a small data set with `make`: `count` pairs per split (DressCode: per split and category), from `seed` on.

    Raises IGRError for an unknown layout, a non-empty folder, or a size that is not 3:4.
    """
    if layout not in _WRITERS:
        raise IGRError(f"Unknown layout {layout!r}: choose {', '.join(_WRITERS)}.")
    SyntheticConfig(seed, count, size)  # raises for invalid values
    make_folder(out)
    if any(out.iterdir()):
        raise IGRError(f"{out} is not empty: choose an empty folder for the data set.")
    try:
        _WRITERS[layout](out, count, seed, size, make)
    except OSError as error:
        raise IGRError(
            f"{out} is incomplete ({error.strerror}): delete it, free some disk space and write it again."
        ) from error


def label_map(pair: Pair, numbers: dict[str, int], skirt: int, table: LabelTable) -> Image.Image:
    """The pair's parsing map as a P-mode image with the label numbers and colours of a published data set."""
    lookup = [numbers[label] for label in LABELS]
    if "skirt" in str(pair.attributes["cut"]):
        lookup[LABELS.index("lower")] = skirt
    picture = Image.fromarray(np.array(lookup, np.uint8)[np.array(pair.parsing)])
    picture.putpalette(palette_bytes(table))
    return picture


def _viton_hd(out: Path, count: int, seed: int, size: tuple[int, int], make: PairMaker) -> None:
    known = VITON_HD_LEFT_OUT["train"] | VITON_HD_LEFT_OUT["test"]
    stems = (stem for number in range(100_000) if (stem := f"{number:05d}_00") not in known)
    seeds = iter(range(seed, seed + 2 * count))
    for split in ("train", "test"):
        names = [next(stems) for _ in range(count)]
        for stem in names:
            pair = make(next(seeds), size, category="upper")
            _write_viton_hd_pair(out / split, stem, pair)
        garments = names if split == "train" else [*names[1:], names[0]]  # the published test file is unpaired
        lines = [f"{person}.jpg {garment}.jpg" for person, garment in zip(names, garments, strict=True)]
        _write_lines(out / f"{split}_pairs.txt", lines)


def _write_viton_hd_pair(part: Path, stem: str, pair: Pair) -> None:
    _save(part / "image" / f"{stem}.jpg", pair.person)
    _save(part / "cloth" / f"{stem}.jpg", pair.garment)
    _save(part / "cloth-mask" / f"{stem}.jpg", pair.garment_silhouette)
    _save(part / "agnostic-mask" / f"{stem}_mask.png", pair.agnostic_mask)
    _save(part / "image-parse-v3" / f"{stem}.png", label_map(pair, LIP_NUMBERS, 12, LIP))
    _save(part / "openpose_img" / f"{stem}_rendered.png", _sticks(pair))
    points = [value for name in JOINTS_25 for value in pair.joints.get(name, (0, 0, 0))]
    person = {"person_id": [-1], "pose_keypoints_2d": points}
    _save_json(part / "openpose_json" / f"{stem}_keypoints.json", {"version": 1.3, "people": [person]})


def _dresscode(out: Path, count: int, seed: int, size: tuple[int, int], make: PairMaker) -> None:
    root_lines: dict[str, list[str]] = {}
    numbers = iter(range(10**6))
    for place, (category, folder) in enumerate(FOLDERS.items()):
        stems = [f"{next(numbers):06d}" for _ in range(2 * count)]
        for row, stem in enumerate(stems):
            _write_dresscode_pair(out / folder, stem, make(seed + 2 * count * place + row, size, category=category))
        test = stems[count:]
        listed = {
            "train_pairs.txt": list(zip(stems[:count], stems[:count], strict=True)),
            "test_pairs_paired.txt": list(zip(test, test, strict=True)),
            "test_pairs_unpaired.txt": list(zip(test, [*test[1:], test[0]], strict=True)),
        }
        for name, pairs in listed.items():
            lines = [f"{person}_0.jpg\t{garment}_1.jpg" for person, garment in pairs]
            _write_lines(out / folder / name, lines)
            root_lines.setdefault(name, []).extend(f"{line}\t{place}" for line in lines)
    for name, lines in root_lines.items():
        _write_lines(out / name, lines)


def _write_dresscode_pair(part: Path, stem: str, pair: Pair) -> None:
    _save(part / "images" / f"{stem}_0.jpg", pair.person)
    _save(part / "images" / f"{stem}_1.jpg", pair.garment)
    _save(part / "label_maps" / f"{stem}_4.png", label_map(pair, ATR_NUMBERS, 5, ATR))
    _save(part / "skeletons" / f"{stem}_5.jpg", _sticks(pair))
    scale_x, scale_y = 384 / pair.person.width, 512 / pair.person.height
    points = []
    for number, name in enumerate(JOINTS_18):
        x, y, score = pair.joints.get(name, (0.0, 0.0, 0.0))
        points.append([x * scale_x, y * scale_y, score, float(number) if score else -1.0])
    _save_json(part / "keypoints" / f"{stem}_2.json", {"keypoints": points})


def _streettryon(out: Path, count: int, seed: int, size: tuple[int, int], make: PairMaker) -> None:
    names: list[str] = []
    for place, split in enumerate(("train", "validation")):
        names = [f"{number:06d}.jpg" for number in range(1 + place * count, 1 + (place + 1) * count)]
        for row, name in enumerate(names):
            pair = make(seed + place * count + row, size, category=("upper", "full")[row % 2])
            # street photos vary in size
            box = (0, 0, size[0], size[1] - row % 3 * size[1] // 16)
            part, stem = out / split, Path(name).stem
            _save(part / "image" / name, pair.person.crop(box))
            _save(part / "segm_atr_labels" / f"{stem}.png", label_map(pair, ATR_NUMBERS, 5, ATR).crop(box))
            _save_json(part / "raw_bbox" / f"{name}.json", {"human_bbox": [0, box[3], 0, box[2]]})
        _write_lines(out / "annotations" / f"{split}_image_list.txt", names)
    for kind, worn in (("top", names[::2]), ("dress", names[1::2])):
        pairs = zip(worn, [*worn[1:], *worn[:1]], strict=True)
        lines = [f"{row},{source},{target}" for row, (source, target) in enumerate(pairs)]
        _write_lines(out / "annotations" / f"street2street_test_pairs_{kind}.csv", [",source,target", *lines])


def _folder(out: Path, count: int, seed: int, size: tuple[int, int], make: PairMaker) -> None:
    lines = []
    for row in range(count):
        pair, name = make(seed + row, size), f"look-{row + 1:03d}"
        _save(out / "person" / f"{name}.jpg", pair.person)
        _save(out / "garment" / f"{name}.png", pair.garment)
        _save(out / "mask" / f"{name}.png", pair.garment_mask)
        lines.append(f"{name}.jpg,{pair.category}")
    _write_lines(out / "category.csv", ["name,category", *lines])


def _tars(out: Path, count: int, seed: int, size: tuple[int, int], make: PairMaker) -> None:
    if make is not make_pair:
        raise IGRError(
            "Rendered pairs cannot be written as shards here: use `python -m training data pack RECORDS OUT --kind "
            "rendered`."
        )
    write_tars(SyntheticPairs(SyntheticConfig(seed, count, size)), out, pairs_per_tar=max(1, -(-count // 2)))


_WRITERS: dict[str, Callable[[Path, int, int, tuple[int, int], PairMaker], None]] = {
    "viton_hd": _viton_hd,
    "dresscode": _dresscode,
    "streettryon": _streettryon,
    "folder": _folder,
    "tars": _tars,
}
FIXTURES = tuple(_WRITERS)
"""Layouts that can be drawn."""


def _sticks(pair: Pair) -> Image.Image:
    """The joints, connected by lines, on black."""
    picture = Image.new("RGB", pair.person.size)
    draw = ImageDraw.Draw(picture)
    width = max(1, pair.person.height // 64)
    for row, (first, second) in enumerate(limb for limb in LIMBS if limb[0] in pair.joints and limb[1] in pair.joints):
        hue = Image.new("HSV", (1, 1), (row * 18, 255, 255)).convert("RGB").getpixel((0, 0))
        draw.line([pair.joints[first][:2], pair.joints[second][:2]], fill=hue, width=width)
    return picture


def _save(path: Path, picture: Image.Image) -> None:
    make_folder(path.parent)
    picture.save(path, quality=95)


def _save_json(path: Path, content: Any) -> None:
    make_folder(path.parent)
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    make_folder(path.parent)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
