"""How well the scores find the generator's own defects: precision and recall per defect and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from ..data.contract.parsing import Parsing
from ..data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from .evidence import EvidenceKind, gather
from .scores import DEFECT_NAMES, CurationConfig, Defect, score

EVIDENCE: tuple[EvidenceKind, ...] = ("keypoints", "parsing", "mask")
WORDS = {"keypoints": "parsing + keypoints", "parsing": "parsing only", "mask": "mask only"}
SIZE = (192, 256)
"""Width and height in pixels of the pairs that are drawn."""
BAD_SHARE = 0.4
"""Share of them that have a defect."""
_GENERATOR = {"proportion": "extreme_proportion"}
"""Names that the generator gives to the defects, where they are others."""


class _AsParsed(SyntheticPairs):
    """Drawn pairs whose unknown objects are labelled background, as a parser that does not know them would."""

    def parsing(self, index: int) -> Parsing:
        found = super().parsing(index)
        return Parsing(np.where(found.of("other"), 0, found.labels).astype(np.uint8), found.table)


@dataclass(frozen=True)
class Measured:
    """How well one defect is found with one kind of evidence."""

    defect: Defect
    """Which defect."""
    kind: EvidenceKind
    """What it was read from."""
    found: int
    """Pairs that have it and were found."""
    missed: int
    """Pairs that have it and were not found."""
    wrong: int
    """Pairs that were found and do not have it."""

    @property
    def recall(self) -> float:
        """Share of the pairs with the defect that were found; 1 where there are none."""
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0

    @property
    def precision(self) -> float:
        """Share of the found pairs that have it; 1 where none were found."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0


def measure(start: int, count: int, config: CurationConfig, workers: int = 1) -> list[Measured]:
    """Draw pairs of seeds from `start` on, score them with each kind of evidence, and compare with their labels."""
    jobs = [(seed, config) for seed in range(start, start + count)]
    bar = {"total": count, "desc": "drawing and scoring", "unit": "pair"}
    if workers > 1:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            pairs = list(tqdm(pool.map(_defects, jobs, chunksize=8), **bar))
    else:
        pairs = list(tqdm(map(_defects, jobs), **bar))
    return [_compare(pairs, defect, kind) for kind in EVIDENCE for defect in DEFECT_NAMES]


def table(results: Sequence[Measured]) -> str:
    """The results as a Markdown table."""
    lines = ["| defect | evidence | pairs with it | recall | precision |", "| --- | --- | --- | --- | --- |"]
    for one in results:
        name, words = one.defect.replace("_", " "), WORDS[one.kind]
        lines.append(f"| {name} | {words} | {one.found + one.missed} | {one.recall:.3f} | {one.precision:.3f} |")
    return "\n".join(lines)


def _defects(job: tuple[int, CurationConfig]) -> tuple[str | None, dict[str, list[Defect]]]:
    """The label of a pair and the defects found with each kind of evidence."""
    seed, config = job
    source = _AsParsed(SyntheticConfig(seed, 1, SIZE, 0.0, BAD_SHARE))
    return source.defect(0), {kind: score(gather(source, 0, kind), config).defects(config) for kind in EVIDENCE}


def _compare(pairs: list[tuple[str | None, dict[str, list[Defect]]]], defect: Defect, kind: EvidenceKind) -> Measured:
    has = [label == _GENERATOR.get(defect, defect) for label, _ in pairs]
    told = [defect in found[kind] for _, found in pairs]
    found = sum(a and b for a, b in zip(has, told, strict=True))
    return Measured(defect, kind, found, sum(has) - found, sum(told) - found)
