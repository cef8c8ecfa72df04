"""Measure the precision and recall of the scores in detecting the generator's defects, by defect and evidence."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.json_text import parse_json
from igr_core.model.config import from_json, to_json

from ..base.files import write_text
from ..base.provenance import revision
from ..data.contract.parsing import Parsing
from ..data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from .evidence import EvidenceKind, gather
from .scores import DEFECT_NAMES, CurationConfig, Defect, score

EVIDENCE: tuple[EvidenceKind, ...] = ("keypoints", "parsing", "mask")
WORDS = {"keypoints": "parsing + keypoints", "parsing": "parsing only", "mask": "mask only"}
SIZE = (192, 256)
"""Width and height in pixels of the drawn pairs."""
BAD_SHARE = 0.4
"""Fraction of the pairs with a defect."""
_GENERATOR = {"proportion": "extreme_proportion"}
"""The generator's names for defects, where they differ."""


class _AsParsed(SyntheticPairs):
    """Drawn pairs whose unknown objects are labelled as background, as by a parser that has no label for them."""

    def parsing(self, index: int) -> Parsing:
        found = super().parsing(index)
        return Parsing(np.where(found.of("other"), 0, found.labels).astype(np.uint8), found.table)


@dataclass(frozen=True)
class Measured:
    """How well a defect is detected with one type of evidence."""

    defect: Defect
    """Name of the defect."""
    kind: EvidenceKind
    """Evidence that was used."""
    found: int
    """Number of pairs with the defect that were detected."""
    missed: int
    """Number of pairs with the defect that were not detected."""
    wrong: int
    """Number of pairs without the defect that were detected."""

    @property
    def recall(self) -> float:
        """Fraction of the pairs with the defect that were detected; 1 if there are none."""
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0

    @property
    def precision(self) -> float:
        """Fraction of the detected pairs that have the defect; 1 if none were detected."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0


@dataclass(frozen=True)
class Measurement:
    """How well defects are detected, and the data that this was measured on."""

    start: int
    """First seed of the drawn pairs."""
    count: int
    """Number of pairs."""
    revision: str
    """Commit of the code that was measured."""
    thresholds: CurationConfig
    """Thresholds of the defects."""
    measured: tuple[Measured, ...]
    """Results by defect and evidence."""


def measure(start: int, count: int, config: CurationConfig, workers: int = 1) -> Measurement:
    """Draw pairs from seed `start` on, score them with each type of evidence, and compare with the true defects."""
    jobs = [(seed, config) for seed in range(start, start + count)]
    bar = {"total": count, "desc": "drawing and scoring", "unit": "pair"}
    if workers > 1:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            pairs = list(tqdm(pool.map(_defects, jobs, chunksize=8), **bar))
    else:
        pairs = list(tqdm(map(_defects, jobs), **bar))
    measured = tuple(_compare(pairs, defect, kind) for kind in EVIDENCE for defect in DEFECT_NAMES)
    return Measurement(start, count, revision(), config, measured)


def write_measurement(path: Path, found: Measurement) -> None:
    """Write a measurement as JSON, atomically."""
    make_folder(path.parent)
    write_text(path, json.dumps(to_json(found), indent=1) + "\n")


def read_measurement(path: Path) -> Measurement:
    """Read a measurement; raises IGRError if the file does not contain a measurement."""
    try:
        data = parse_json(path.read_bytes(), "the file", "create it again")
    except (OSError, ValueError) as error:
        raise IGRError(
            f"{path} contains no measurement: create it with `python -m training curate measure`."
        ) from error
    return from_json(Measurement, data, str(path))


def table(found: Measurement) -> str:
    """The measurement as a Markdown table: recall and precision for each defect by evidence."""
    lines = [
        "| defect | pairs with it | " + " | ".join(f"{WORDS[kind]}: recall, precision" for kind in EVIDENCE) + " |"
    ]
    lines.append("| --- | ---: |" + " ---: |" * len(EVIDENCE))
    for defect in DEFECT_NAMES:
        by_kind = {one.kind: one for one in found.measured if one.defect == defect}
        shown = (f"{by_kind[kind].recall:.3f}, {by_kind[kind].precision:.3f}" for kind in EVIDENCE)
        count = by_kind[EVIDENCE[0]].found + by_kind[EVIDENCE[0]].missed
        lines.append(f"| {defect.replace('_', ' ')} | {count} | {' | '.join(shown)} |")
    text = (
        f"{found.count:,} drawn pairs starting at seed {found.start}, {BAD_SHARE:.0%} of them with a defect; measured "
        f"at commit `{found.revision[:12]}`."
    )
    return "\n".join(lines) + f"\n\n{text}\n"


def _defects(job: tuple[int, CurationConfig]) -> tuple[str | None, dict[str, list[Defect]]]:
    """The true defect of a pair, and the defects detected with each type of evidence."""
    seed, config = job
    source = _AsParsed(SyntheticConfig(seed, 1, SIZE, 0.0, BAD_SHARE))
    return source.defect(0), {kind: score(gather(source, 0, kind), config).defects(config) for kind in EVIDENCE}


def _compare(pairs: list[tuple[str | None, dict[str, list[Defect]]]], defect: Defect, kind: EvidenceKind) -> Measured:
    has = [label == _GENERATOR.get(defect, defect) for label, _ in pairs]
    detected = [defect in found[kind] for _, found in pairs]
    found = sum(a and b for a, b in zip(has, detected, strict=True))
    return Measured(defect, kind, found, sum(has) - found, sum(detected) - found)
