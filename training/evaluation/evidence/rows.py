"""Rows of a results table: a bundle or a control over the same held-out pairs, scored pair by pair, on disk as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.model.bundle import Bundle
from igr_core.model.config import from_json, to_json
from igr_core.photo.images import save_image
from igr_core.photo.view import GarmentView
from igr_core.restore.restorer import GarmentRestorer

from ...base.files import write_text
from ...base.provenance import bundle_weights_sha256, revision
from ...base.statistics import mean_interval
from ...data.caches.drawn import HELD_OUT_START, DrawnPairs
from ..metrics.garment import HIGHER_IS_BETTER, score

BATCH = 20
"""Pairs that are restored together, and after which progress is saved."""


@dataclass(frozen=True)
class Score:
    """One metric over all pairs of a row."""

    mean: float
    """Mean over the pairs."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end."""
    values: tuple[float, ...]
    """One value per pair, in the order of the row's seeds."""


@dataclass(frozen=True)
class Row:
    """One line of a results table."""

    name: str
    """What the table calls it."""
    kind: Literal["bundle", "control"]
    """Whether a model gave the answers."""
    pairs_sha256: str
    """Hash of the pairs' pictures: rows of unequal hashes are not comparable."""
    seeds: tuple[int, ...]
    """Seed of each pair."""
    n: int
    """Number of pairs."""
    metrics: dict[str, Score]
    """Scores by the names of metrics.HIGHER_IS_BETTER."""
    revision: str
    """Commit that scored it."""
    weights_sha256: str | None = None
    """Hash of the bundle's tensors, which putting scores into its header does not change."""
    training_steps: int | None = None
    """Optimiser steps that the bundle says it was trained for, in all stages."""
    pairs_seen: int | None = None
    """Training pairs read in those steps, repeats counted (on one process)."""
    guidance: float | None = None
    """Guidance of the restoration."""
    steps: int | None = None
    """DDIM steps of the restoration."""
    noise_seed: int | None = None
    """The first pair's noise seed; pair i has noise_seed + i, whatever the row."""


class HeldOut:
    """The first `count` held-out drawn pairs: what every row of a table is scored on."""

    def __init__(self, folder: Path, count: int) -> None:
        """Open them; IGRError when there are fewer, or when one may have been trained on."""
        self.drawn = DrawnPairs(folder, count)
        if len(self.drawn) < count:
            raise IGRError(f"{folder} holds {len(self.drawn)} pairs and {count} were asked for: draw more of them.")
        trained = [seed for seed in self.drawn.seeds if seed < HELD_OUT_START]
        if trained:
            raise IGRError(f"{folder} holds seed {trained[0]}; held-out pairs start at seed {HELD_OUT_START}.")
        digest = hashlib.sha256(json.dumps(self.drawn.categories).encode())
        for index in range(count):
            for field in ("person", "mask", "crop", "garment", "silhouette"):
                digest.update(self.drawn.take(field, [index]).numpy().tobytes())
        self.sha256 = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.drawn)

    def take(self, field: str, rows: range) -> Tensor:
        """Pictures of one field in 0..1, (B, C, H, W)."""
        return self.drawn.take(field, rows).float() / 255

    def score(self, generated: Tensor, rows: range) -> dict[str, list[float]]:
        """Metrics of restored garments (B, 3, H, W): name -> B values."""
        found = score(generated, self.take("garment", rows), self.take("silhouette", rows))
        return {name: [round(float(value), 6) for value in values] for name, values in found.items()}

    def row(self, name: str, kind: Literal["bundle", "control"], values: dict[str, list[float]], **known: Any) -> Row:
        """A finished row of per-pair values by metric."""
        metrics = {}
        for metric in HIGHER_IS_BETTER:
            interval = mean_interval(values[metric])
            metrics[metric] = Score(interval.mean, interval.low, interval.high, tuple(values[metric]))
        seeds = tuple(self.drawn.seeds)
        return Row(name, kind, self.sha256, seeds, len(self), metrics, revision(), **known)


def score_control(name: str, held_out: HeldOut, answer: Callable[[range], Tensor]) -> Row:
    """Score what `answer` gives for ranges of pairs: pictures (B, 3, H, W) in 0..1."""
    values: dict[str, list[float]] = {metric: [] for metric in HIGHER_IS_BETTER}
    for rows in tqdm(_batches(0, len(held_out)), desc=name, unit="batch"):
        for metric, found in held_out.score(answer(rows), rows).items():
            values[metric] += found
    return held_out.row(name, "control", values)


def score_bundle(
    bundle: Path,
    held_out: HeldOut,
    partial: Path,
    *,
    name: str,
    guidance: float,
    steps: int,
    noise_seed: int = 0,
    pictures: Path | None = None,
) -> Row:
    """Restore every pair with a bundle and score it; `partial` keeps what is done, so that a killed run goes on.

    `pictures` gets one SEED.png per pair. Raises IGRError for a bundle of another native size than the pairs.
    """
    weights = bundle_weights_sha256(Bundle.open(bundle))
    known = {"weights_sha256": weights, "guidance": guidance, "steps": steps, "noise_seed": noise_seed}
    protocol = {**known, "pairs_sha256": held_out.sha256, "revision": revision()}
    values = _read_partial(partial, protocol)
    restorer = GarmentRestorer.from_bundle(bundle)
    size = tuple(held_out.drawn.take("garment", [0]).shape[:-3:-1])  # (W, H)
    if size != tuple(restorer.info.model.native_size):
        raise IGRError(f"{bundle} works at {restorer.info.model.native_size}, the held-out pairs are {size}: redraw.")
    if pictures is not None:
        make_folder(pictures)
    done = _done(held_out, values, pictures)
    values = {metric: found[:done] for metric, found in values.items()}
    bar = tqdm(total=len(held_out), initial=done, desc=f"{name}, guidance {guidance:g}", unit="pair")
    for rows in _batches(done, len(held_out)):
        generated = _restore(restorer, held_out, rows, guidance, steps, noise_seed + rows.start)
        if pictures is not None:
            _save_pictures(generated, held_out, rows, pictures)
        for metric, found in held_out.score(generated, rows).items():
            values[metric] += found
        write_text(partial, json.dumps({"protocol": protocol, "values": values}))
        bar.update(len(rows))
    bar.close()
    training = restorer.info.training
    known |= {"training_steps": steps_trained(training), "pairs_seen": pairs_seen(training)}
    return held_out.row(name, "bundle", values, **known)


def steps_trained(training: dict[str, Any]) -> int | None:
    """Optimiser steps that a bundle's provenance tells of, those of the bundles it started from included."""
    stages = _stages(training)
    return sum(stage["steps"] for stage in stages) if stages else None


def pairs_seen(training: dict[str, Any]) -> int | None:
    """Training pairs that a bundle's provenance says one process read, in all stages; None where it does not say."""
    stages = _stages(training)
    if not stages or not all(isinstance(stage.get("config"), dict) for stage in stages):
        return None
    return sum(stage["steps"] * _pairs_per_step(stage["config"]) for stage in stages)


def _stages(training: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The training entries of a bundle and of those it started from; empty where one does not tell its steps."""
    stages = []
    while training is not None:
        if not isinstance(training.get("steps"), int):
            return []
        stages.append(training)
        training = training.get("parent", {}).get("training")
    return stages


def _pairs_per_step(config: dict[str, Any]) -> int:
    return int(config.get("accumulation", 1)) * int(config["data"]["pairs_per_batch"])


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as JSON, atomically."""
    make_folder(path.parent)
    write_text(path, json.dumps({"rows": [to_json(row) for row in rows]}, indent=1) + "\n")


def read_rows(paths: Sequence[Path]) -> list[Row]:
    """Rows of several files, in order; IGRError names a file that holds none, or rows over other pairs."""
    rows: list[Row] = []
    for path in paths:
        try:
            data = json.loads(path.read_text())["rows"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IGRError(
                f"{path} holds no rows of scores: write it with python -m training evidence score."
            ) from error
        rows += [from_json(Row, one, f"{path}, row {number}") for number, one in enumerate(data)]
    if len({row.pairs_sha256 for row in rows}) > 1:
        raise IGRError(f"{', '.join(map(str, paths))} were scored on different pairs: score them on the same ones.")
    return rows


def _restore(
    restorer: GarmentRestorer, held_out: HeldOut, rows: range, guidance: float, steps: int, seed: int
) -> Tensor:
    """Garments (B, 3, H, W) in 0..1 of some held-out pairs; pair i of the batch starts from noise `seed + i`."""
    view = GarmentView(*(held_out.take(field, rows) for field in ("person", "mask", "crop")), (), ())
    categories = [held_out.drawn.categories[row] for row in rows]
    return restorer.restore(view, categories, steps=steps, guidance=guidance, seed=seed)


def _batches(start: int, stop: int) -> list[range]:
    return [range(first, min(first + BATCH, stop)) for first in range(start, stop, BATCH)]


def _done(held_out: HeldOut, values: dict[str, list[float]], pictures: Path | None) -> int:
    """How many pairs, from the first on, need not be restored again."""
    done = min(len(found) for found in values.values())
    if pictures is None:
        return done
    missing = [row for row in range(done) if not _picture(held_out, row, pictures).is_file()]
    return missing[0] if missing else done


def _picture(held_out: HeldOut, row: int, folder: Path) -> Path:
    return folder / f"{held_out.drawn.seeds[row]}.png"


def _save_pictures(generated: Tensor, held_out: HeldOut, rows: range, folder: Path) -> None:
    for row, picture in zip(rows, generated, strict=True):
        save_image(_picture(held_out, row, folder), picture)


def _read_partial(path: Path, protocol: dict[str, Any]) -> dict[str, list[float]]:
    """Values that an interrupted run of the same protocol left; empty lists where there are none."""
    try:
        saved = json.loads(path.read_text())
        if saved["protocol"] == protocol:
            return {metric: list(saved["values"][metric]) for metric in HIGHER_IS_BETTER}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing there, or a file that another version wrote: start from the first pair
    return {metric: [] for metric in HIGHER_IS_BETTER}


def compact_scores(path: Path, weights: str) -> dict[str, Any]:
    """The rows of a scores file (python -m training evidence) that are of the weights with this hash, in short.

    IGRError when there is none: scores belong to the weights that were measured.
    """
    rows = [row for row in read_rows([path]) if row.weights_sha256 == weights]
    if not rows:
        raise IGRError(
            f"{path} holds no scores of these weights: export without --scores, score that bundle, then export again."
        )
    return {
        f"guidance {row.guidance:g}": {
            "guidance": row.guidance,
            "steps": row.steps,
            "n": row.n,
            "seeds": [row.seeds[0], row.seeds[-1]],
            "revision": row.revision,
            "metrics": {
                metric: {"mean": round(found.mean, 5), "interval_95": [round(found.low, 5), round(found.high, 5)]}
                for metric, found in row.metrics.items()
            },
        }
        for row in rows
    }
