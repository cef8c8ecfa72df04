"""The manifest of a curation: manifest.csv has findings and decisions for each pair, manifest.json the settings."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.json_text import read_json
from igr_core.text import as_cell, from_cell

from .duplicates import find_duplicates
from .proportion import Box
from .scores import CurationConfig, Scores

Hand = Literal["", "keep", "drop"]
"""Manual decision; "" for none."""
COLUMNS = (
    "name", "category", "occluded", "truncated", "side_view", "proportion", "seen", "evidence", "rank", "decision",
    "reasons", "duplicate_of", "garment_box", "hand",
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A judged pair."""

    name: str
    """Name of the pair in the data set."""
    category: str
    """upper, lower or full."""
    scores: Scores
    """Score of each defect."""
    box: Box
    """Box of the flat image in which the garment has a usual size."""
    person_hash: str
    """Hash of the photo, computed by duplicates.dhash."""
    garment_hash: str
    """Hash of the flat image."""


@dataclass(frozen=True)
class Row:
    """A line of manifest.csv."""

    name: str
    """Name of the pair in its data set."""
    category: str
    """upper, lower or full."""
    scores: Scores
    """Scores of the defects, and the evidence for them."""
    rank: int
    """Rank; 1 for the best pair."""
    decision: Literal["hqft", "kept", "dropped"]
    """Decision; hqft pairs are also kept."""
    reasons: tuple[str, ...]
    """Names of detected defects, `duplicate`, or `by hand`."""
    duplicate_of: str
    """Name of the better pair that shows the same person and garment; "" for none."""
    garment_box: Box | None
    """Box to use in the flat image if the garment's proportions are extreme."""
    hand: Hand = ""
    """Manual decision."""


@dataclass(frozen=True)
class Manifest:
    """All pairs, the best first, and the settings of the curation."""

    rows: tuple[Row, ...]
    """Pairs in order of rank."""
    described: dict[str, Any] = field(default_factory=dict)
    """Title of the data set, fraction of pairs for HQFT, and settings."""

    def kept_names(self) -> list[str]:
        """Names of the pairs that are not dropped."""
        return [row.name for row in self.rows if row.decision != "dropped"]

    def hqft_names(self) -> list[str]:
        """Names of the pairs for high-quality fine-tuning."""
        return [row.name for row in self.rows if row.decision == "hqft"]

    def garment_box(self, name: str) -> Box | None:
        """Box to use in a pair's flat image, in pixels; it may extend beyond the image. None for the whole image."""
        return self._boxes.get(name)

    @cached_property
    def _boxes(self) -> dict[str, Box]:
        return {row.name: row.garment_box for row in self.rows if row.garment_box is not None}


def decide(
    pairs: Sequence[Judged], hands: Mapping[str, Hand], config: CurationConfig, title: str, share: float
) -> Manifest:
    """Rank the pairs, drop the bad ones, and choose the best fraction `share` of each category.

    A pair is dropped if it has a defect other than proportion, or a better duplicate. Manual decisions take precedence.
    """
    order = sorted(pairs, key=lambda pair: (pair.scores.badness(config), pair.name))
    better = _better_duplicates(order, hands)
    rows = [
        _judge(pair, rank, better.get(pair.name, ""), hands.get(pair.name, ""), config)
        for rank, pair in enumerate(order, 1)
    ]
    chosen: set[str] = {row.name for row in rows if row.hand == "keep"}
    quotas = _quotas([row.category for row in rows], share)
    for category in quotas:
        own = [row for row in rows if row.category == category]
        room = quotas[category] - sum(row.name in chosen for row in own)
        free = [row.name for row in own if row.decision == "kept" and row.name not in chosen]
        chosen.update(free[: max(0, room)])
    rows = [replace(row, decision="hqft") if row.name in chosen else row for row in rows]
    return Manifest(tuple(rows), {"title": title, "share": share, "settings": asdict(config)})


def _quotas(categories: Sequence[str], share: float) -> dict[str, int]:
    """Number of pairs to choose per category: a fraction `share`, rounded so that the total is `share` of all pairs."""
    exact = {category: share * categories.count(category) for category in sorted(set(categories))}
    found = {category: int(value) for category, value in exact.items()}
    left = round(share * len(categories)) - sum(found.values())
    for category in sorted(exact, key=lambda one: found[one] - exact[one])[:left]:
        found[category] += 1
    return found


def _better_duplicates(order: Sequence[Judged], hands: Mapping[str, Hand]) -> dict[str, str]:
    """For each duplicate, the name of the best pair in its group: a manually kept pair, or the first in `order`."""
    found = {}
    for group in find_duplicates([one.person_hash for one in order], [one.garment_hash for one in order]):
        names = [order[place].name for place in group if hands.get(order[place].name) != "drop"]
        names.sort(key=lambda name: hands.get(name) != "keep")
        found.update({name: names[0] for name in names[1:]})
    return found


def _judge(pair: Judged, rank: int, duplicate_of: str, hand: Hand, config: CurationConfig) -> Row:
    defects = pair.scores.defects(config)
    reasons: list[str] = [*defects, *(["duplicate"] if duplicate_of else []), *(["by hand"] if hand else [])]
    dropped = bool(duplicate_of) or any(name != "proportion" for name in defects)
    if hand:
        dropped = hand == "drop"
    box = pair.box if "proportion" in defects else None
    decision: Literal["kept", "dropped"] = "dropped" if dropped else "kept"
    return Row(pair.name, pair.category, pair.scores, rank, decision, tuple(reasons), duplicate_of, box, hand)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.csv and manifest.json; raises IGRError on failure."""
    with atomic_file(folder / "manifest.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in manifest.rows:
            s, box = row.scores, " ".join(map(str, row.garment_box or ()))
            numbers = (s.occluded, s.truncated, s.side_view, s.proportion, s.seen, s.kind, row.rank)
            marks = (row.decision, " + ".join(row.reasons), as_cell(row.duplicate_of), box, row.hand)
            writer.writerow((as_cell(row.name), row.category, *numbers, *marks))
    with atomic_file(folder / "manifest.json") as temporary:
        temporary.write_text(json.dumps(manifest.described, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest; raises IGRError naming the file and line if it is missing or invalid."""
    path = folder / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            lines = list(csv.reader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise IGRError(
            f"{folder} contains no readable curation ({error}): create one with `python -m training curate score`."
        ) from error
    described = read_json(folder / "manifest.json", "create it again with python -m training curate score")
    if not lines or tuple(lines[0]) != COLUMNS:
        raise IGRError(
            f"{path} is not a manifest of this version: create it again with `python -m training curate score`."
        )
    rows = []
    for number, values in enumerate(lines[1:], 2):
        try:
            rows.append(_row(dict(zip(COLUMNS, values, strict=True))))
        except (ValueError, KeyError) as error:
            raise IGRError(f"{path}, line {number}, cannot be read ({error}): create the manifest again.") from error
    return Manifest(tuple(rows), described)


def _row(values: dict[str, str]) -> Row:
    numbers = [float(values[name]) for name in ("occluded", "truncated", "side_view", "proportion", "seen")]
    evidence, decision, hand = values["evidence"], values["decision"], values["hand"]
    box = tuple(int(part) for part in values["garment_box"].split())
    if len(box) == 4 and not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError("garment_box must be left, top, right, bottom")
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a score is not finite")
    wrong = (
        evidence not in ("keypoints", "parsing", "mask")
        or decision not in ("hqft", "kept", "dropped")
        or hand not in ("", "keep", "drop")
        or len(box) not in (0, 4)
    )
    if wrong:
        raise ValueError("evidence, decision, hand or garment_box has an unknown value")
    reasons = tuple(values["reasons"].split(" + ")) if values["reasons"] else ()
    scores = Scores(*numbers, evidence)  # type: ignore[arg-type]
    return Row(
        from_cell(values["name"]),
        values["category"],
        scores,
        int(values["rank"]),
        decision,  # type: ignore[arg-type]
        reasons,
        from_cell(values["duplicate_of"]),
        box or None,  # type: ignore[arg-type]
        hand,  # type: ignore[arg-type]
    )


def read_decisions(path: Path) -> dict[str, Hand]:
    """Manual decisions by pair: {"decisions": {"NAME": "keep" or "drop"}}; raises IGRError for an invalid entry."""
    found = read_json(path, "save the decisions again on the page").get("decisions")
    if not isinstance(found, dict):
        raise IGRError(f"{path} contains no decisions: save them with the button on the page.")
    wrong = [name for name, hand in found.items() if hand not in ("keep", "drop")]
    if wrong:
        raise IGRError(f"{path} has the decision {found[wrong[0]]!r} for {wrong[0]}: use keep or drop.")
    return found
