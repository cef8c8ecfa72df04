"""Provenance of a trained file: revision, versions and loss curve, for bundle metadata and tables."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.json_text import parse_json, read_json
from igr_core.model.bundle import Bundle
from igr_core.text import one_line

from .files import write_text
from .parts import read_summary
from .run.run_folder import read_metrics, text_of

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
PARENT = "parent.json"
DATA = "data.json"
_LINE = re.compile("([0-9]{1,12}) (.+)")
PACKAGES = ("torch", "diffusers", "transformers", "accelerate")


def revision() -> str:
    """The commit of this checkout, with `-dirty` if tracked files differ from it; `unknown` outside git."""
    try:
        return _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def note_start(run: Path, step: int, command: str) -> None:
    """Record the commit and the command that the run uses from this step on, one line each.

    Damaged lines of the two files are removed.
    """
    for name, what in (("revisions.txt", revision()), ("commands.txt", command)):
        lines, damaged = _lines(run / name)
        if damaged:
            lines_were = "1 damaged line was" if damaged == 1 else f"{damaged:,} damaged lines were"
            logger.warning("%s: %s removed.", one_line(str(run / name)), lines_were)
        write_text(run / name, "".join(f"{at} {line}\n" for at, line in [*lines, (step, one_line(what))]))


def note_data(run: Path, step: int, record: Mapping[str, Any]) -> None:
    """Record the data that a run trains on from this step on; records of later steps are removed."""
    kept = [one for one in noted_data(run) if one["from_step"] < step]
    write_text(run / DATA, json.dumps([*kept, {"from_step": step, **record}], indent=2) + "\n")


def noted_data(run: Path) -> list[dict[str, Any]]:
    """The data that a run was trained on: first step, stage, round, pairs, entries and mixture.

    Raises IGRError if the file is damaged.
    """
    path, remedy = run / DATA, "restore a copy, or delete it, in which case bundles will not list this data"
    if not os.path.lexists(path):
        return []
    found = parse_json(text_of(path), str(path), remedy)
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and isinstance(one.get("from_step"), int) for one in found
    ):
        raise IGRError(f"{path} is not a list of the run's data: {remedy}.")
    return found


def note_parent(run: Path, bundle: Bundle) -> None:
    """Record the bundle that a run starts from, and how that bundle was trained."""
    parent = {
        "name": bundle.info.name,
        "weights_sha256": bundle_weights_sha256(bundle),
        "training": bundle.info.training,
    }
    write_text(run / PARENT, json.dumps(parent, indent=2) + "\n")


def noted_revisions(run: Path) -> list[tuple[int, str]]:
    """The (first step, commit) pairs of a run, one per commit used; `unknown` if none is recorded."""
    return _stretches(run / "revisions.txt") or [(0, "unknown")]


def noted_commands(run: Path) -> list[tuple[int, str]]:
    """The (first step, command) pairs of a run, with commands as typed; `unknown` if none is recorded."""
    return _stretches(run / "commands.txt") or [(0, "unknown")]


def _stretches(notes: Path) -> list[tuple[int, str]]:
    stretches: list[tuple[int, str]] = []
    for step, what in _lines(notes)[0]:
        stretches = [stretch for stretch in stretches if stretch[0] < step]
        if not stretches or stretches[-1][1] != what:
            stretches.append((step, what))
    return stretches


def _lines(notes: Path) -> tuple[list[tuple[int, str]], int]:
    """(step, text) of each line in a file written by note_start, and the number of damaged lines."""
    found = [_LINE.fullmatch(line) for line in text_of(notes).split("\n") if line]
    lines = [(int(match[1]), one_line(match[2])) for match in found if match is not None]
    return lines, len(found) - len(lines)


def versions() -> dict[str, str]:
    """Versions of the libraries used for training."""
    return {package: version(package) for package in PACKAGES}


def curve(metrics: Path, name: str, points: int = 40) -> list[tuple[int, float]]:
    """A logged metric over a run, averaged into at most `points` (step, value) pairs; damaged lines are skipped."""
    rows = [(step, value) for step, metric, value in read_metrics(metrics)[0] if metric == name]
    size = max(1, -(-len(rows) // points))
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(group[-1][0], round(_mean([value for _, value in group]), 5)) for group in groups]


def last_values(metrics: Path, prefix: str) -> dict[str, float]:
    """The latest value of every logged metric whose name starts with `prefix`."""
    rows = read_metrics(metrics)[0]
    return {metric: round(value, 5) for _, metric, value in rows if metric.startswith(prefix)}


def weights_sha256(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Hash of named tensors: names, types, shapes and bytes, independent of the file and its metadata."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors, key=lambda item: item[0]):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def bundle_weights_sha256(bundle: Bundle) -> str:
    """weights_sha256 of a bundle, which does not change when scores are added to its header."""
    parts = [one["part"] for one in bundle.summary()]
    return weights_sha256((f"{part}.{name}", value) for part in parts for name, value in bundle.tensors(part).items())


def describe_part(path: Path | str) -> dict[str, Any]:
    """Provenance of a trained part: hash, scores, settings (including seed and steps) and revisions."""
    kept = ("scores", "training", "pairs", "commands", "versions", "unpacked_from")
    summary = read_summary(path)
    return {name: summary[name] for name in kept if name in summary} | {
        "sha256": sha256(path),
        "revisions": summary.get("revisions", noted_revisions(Path(path).parent)),
    }


def describe_run(run: Path, settings: dict[str, Any], step: int) -> dict[str, Any]:
    """The training entry of a bundle; its `parent` describes the bundle that the run started from."""
    metrics = run / "metrics.csv"
    remedy = "restore a copy, or delete it, in which case the bundle will not describe its parent"
    parent = {"parent": read_json(run / PARENT, remedy)} if os.path.lexists(run / PARENT) else {}
    return parent | {
        "commands": noted_commands(run),
        "config": settings,
        "data_sets": noted_data(run),
        "steps": step,
        "seed": settings.get("seed"),
        "revisions": noted_revisions(run),
        "versions": versions(),
        "loss_curve": curve(metrics, "loss"),
        "validation": last_values(metrics, "validation/") | last_values(metrics, "first_step/"),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def command_line() -> str:
    """The command as typed, without the path that Python resolved the module to."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = ["-m", spec.name.removesuffix(".__main__")] if spec is not None else [Path(sys.argv[0]).name]
    return shlex.join(["python", *module, *sys.argv[1:]])
