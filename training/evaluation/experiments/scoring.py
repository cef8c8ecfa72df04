"""Score two folders: check everything first, then score each pair, then the sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle
from igr_core.text import counted

from ...base.provenance import revision
from ..images.folders import (
    ImageList,
    faults,
    folder_name,
    image_list,
    images_in,
    named_like,
    pair_up,
    read_picture,
    read_silhouette,
)
from ..metrics.distribution import DistributionScorer
from ..metrics.paired import PairedScorer
from ..metrics.protocols import Protocol
from ..metrics.registry import ENCODER, SCORED, check_metrics
from ..metrics.weights import WeightsFile, WeightsFolder
from ..result import Paired, Result, library_versions

Files = list[Path]
MIN_PAIRS = 2
"""Minimum number of pairs for an interval."""
NAMED = 3
"""Maximum number of skipped files that a result lists by name; the others are counted."""


@dataclass(frozen=True)
class Scoring:
    """Settings for scoring, which are the same for every row of a table."""

    protocol: Protocol
    """Sizes and libraries."""
    metrics: tuple[str, ...] = SCORED
    """Names of metrics."""
    weights: WeightsFolder = field(default_factory=lambda: WeightsFolder(None))
    """Folder of the metrics' networks."""
    encoder: Path | None = None
    """Bundle whose image encoder the ENCODER metrics use; None to omit these metrics."""
    cache: Path | None = None
    """Folder to cache features in, or None."""
    silhouettes: Path | None = None
    """Folder of masks for the flat garments, by name; None to count everything except white background as garment."""
    skip_bad: bool = False
    """Score the matching files even if other files do not match."""
    device: torch.device = torch.device("cpu")
    """Device of the metrics' networks."""
    report: Callable[[str], None] = lambda sentence: None
    """Function that is called with a sentence about each file that cannot be scored."""

    def __post_init__(self) -> None:
        check_metrics(self.metrics)
        if self.encoder is not None and not Bundle.open(self.encoder).has("image_encoder"):
            raise IGRError(f"{self.encoder} has no image encoder: use a bundle that includes one.")


def score_folders(
    scoring: Scoring,
    generated: Path,
    reference: Path,
    *,
    name: str,
    kind: str = "folder",
    unpaired: bool = False,
    known: dict[str, Any] | None = None,
) -> Result:
    """Score the images in one folder against those in another.

    Pairs are matched by name (without suffix). With `unpaired`, only the sets are compared, as in the paper for
    StreetTryOn. Raises IGRError if files do not match (each mismatch is reported first), unless scoring.skip_bad is
    set.
    """
    names, one, other, left_out = _matched(scoring, generated, reference, unpaired)
    masks = _silhouettes(scoring.silhouettes, names)
    wanted = [metric for metric in scoring.metrics if scoring.encoder is not None or metric not in ENCODER]
    paired = PairedScorer(scoring.protocol, () if unpaired else wanted, scoring.weights, scoring.device)
    sets = DistributionScorer(scoring.protocol, wanted, scoring.weights, scoring.cache, scoring.encoder, scoring.device)
    lists = image_list(one), image_list(other)
    pairs, spreads = _score_pairs(scoring, paired, names, one, other, masks), sets.score(one, other)
    files = _weights_files(paired, sets)
    return Result(
        name=name,
        kind=kind,
        protocol=asdict(scoring.protocol),
        generated=lists[0],
        reference=lists[1],
        names=tuple(names),
        paired=pairs,
        distribution=spreads,
        skipped=paired.skipped | sets.skipped,
        warnings=(*_left_out(left_out), *_warnings(scoring, *lists, files, unpaired)),
        weights={file.name: scoring.weights.sha256(file) for file in files} | _bundles(scoring, sets),
        libraries=library_versions(),
        revision=revision(),
        silhouettes=image_list([masks[name] for name in names]) if masks else None,
        known=known or {},
    )


def _matched(
    scoring: Scoring, generated: Path, reference: Path, unpaired: bool
) -> tuple[list[str], Files, Files, list[str]]:
    """Return the names of the pairs (empty if unpaired), the generated and reference files to score in this order, and
    each mismatched file as FOLDER/FILE."""
    theirs = images_in(reference)
    ours = named_like(images_in(generated), theirs)
    names, problems = ([], []) if unpaired else pair_up(ours, theirs)
    bad = [faults(ours, None if unpaired else theirs), faults(theirs)]
    problems += [sentence for found in bad for sentence in found.values()]
    for problem in problems:
        scoring.report(problem)
    if problems and not scoring.skip_bad:
        do, them = ("does", "it") if len(problems) == 1 else ("do", "them")
        raise IGRError(
            f"{counted(len(problems), 'file')} of {generated} and {reference} {do} not match (see above): fix {them}, "
            "or score the others with --skip-bad."
        )
    names = [name for name in names if name not in bad[0] and name not in bad[1]]
    if unpaired:
        files = [[path for name, path in paths.items() if name not in bad[i]] for i, paths in enumerate((ours, theirs))]
    else:
        files = [[paths[name] for name in names] for paths in (ours, theirs)]
    if min(map(len, files)) < MIN_PAIRS:
        raise IGRError(
            f"{generated} and {reference} have {min(map(len, files))} images to compare: at least 2 are needed."
        )
    unscored = [
        f"{folder_name(path.parent)}/{path.name}"
        for paths, others, found in zip((ours, theirs), (theirs, ours), bad, strict=True)
        for name, path in paths.items()
        if name in found or not (unpaired or name in others)
    ]
    return names, files[0], files[1], unscored


def _score_pairs(
    scoring: Scoring,
    scorer: PairedScorer,
    names: list[str],
    generated: Files,
    reference: Files,
    masks: dict[str, Path],
) -> dict[str, Paired]:
    values: dict[str, list[float]] = {metric: [] for metric in scorer.names}
    pairs = list(zip(names, generated, reference, strict=True)) if scorer.names else []
    title = f"scoring {generated[0].parent.name}"
    for name, one, other in tqdm(pairs, desc=title, unit="pair", disable=not pairs, leave=False):
        truth = read_picture(other, scoring.protocol.size)
        size = (truth.shape[-1], truth.shape[-2])
        silhouette = None
        if name in masks:
            silhouette = read_silhouette(masks[name], size)
        for metric, value in scorer.score(read_picture(one, size), truth, silhouette).items():
            values[metric].append(round(value, 6))
    return {metric: Paired.of(scores) for metric, scores in values.items()}


def _silhouettes(folder: Path | None, names: list[str]) -> dict[str, Path]:
    """Masks by name; empty if no pairs are scored. Raises IGRError if a mask is missing or unreadable."""
    if folder is None or not names:
        return {}
    masks = images_in(folder)
    missing = [name for name in names if name not in masks]
    if missing:
        more = f" and {counted(len(missing) - 1, 'other pair')}" if len(missing) > 1 else ""
        raise IGRError(f"{folder} has no mask for {missing[0]}{more}: add masks, or omit --silhouettes.")
    for name in names:
        read_silhouette(masks[name])
    return masks


def _weights_files(paired: PairedScorer, sets: DistributionScorer) -> list[WeightsFile]:
    """Published files that the computed metrics use."""
    files = [file for metric in paired.used.values() for file in metric.weights]
    files += [one for one in (metric.network.weights for metric in sets.used.values()) if isinstance(one, WeightsFile)]
    return list(dict.fromkeys(files))


def _bundles(scoring: Scoring, sets: DistributionScorer) -> dict[str, str]:
    """Hashes, by name, of the bundles whose image encoders were used."""
    networks = [metric.network for metric in sets.used.values()]
    return {one.weights.name: one.sha256(scoring.weights) for one in networks if isinstance(one.weights, Path)}


def _left_out(files: list[str]) -> list[str]:
    """A sentence if files were skipped."""
    if not files:
        return []
    more = f" and {len(files) - NAMED} others" if len(files) > NAMED else ""
    return [f"Files that did not match and were skipped: {len(files)} ({', '.join(files[:NAMED])}{more})."]


def _warnings(
    scoring: Scoring, generated: ImageList, reference: ImageList, files: list[WeightsFile], unpaired: bool
) -> Iterator[str]:
    expected = scoring.protocol.count
    if expected is not None and generated.count != expected and not unpaired:
        split = f"{expected:,} pairs ({scoring.protocol.split})"
        yield f"The protocol is meant for {split}, but {generated.count:,} were scored."
    if lossy := generated.formats.get("jpg", 0):
        yield f"{lossy} of the generated images are JPEG, which lowers every metric: save them as PNG."
    if resized := _resized(scoring.protocol, generated, reference):
        yield f"{resized} of the generated images were resized to the size used for comparison."
    for file in files:
        if not scoring.weights.published(file):
            yield f"{file.name} is not the published file: its metrics cannot be compared with other results."


def _resized(protocol: Protocol, generated: ImageList, reference: ImageList) -> int:
    """Number of generated images whose size differs from the protocol's or, if that has none, from every reference."""
    wanted = {"x".join(map(str, protocol.size))} if protocol.size is not None else set(reference.sizes)
    return sum(count for size, count in generated.sizes.items() if size not in wanted)
