"""Where a trained file comes from: revision, versions and loss curve, for bundle metadata and tables."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "diffusers", "transformers", "accelerate")


def revision() -> str:
    """The commit of this checkout, with `-dirty` where tracked files differ from it; `unknown` outside git."""
    try:
        return _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def note_revision(run: Path, step: int) -> None:
    """Note which commit trains a run from this step on."""
    with (run / "revisions.txt").open("a") as handle:
        handle.write(f"{step} {revision()}\n")


def noted_revisions(run: Path) -> list[tuple[int, str]]:
    """The (first step, commit) pairs of a run, one for each stretch by another commit."""
    stretches: list[tuple[int, str]] = []
    for line in (run / "revisions.txt").read_text().splitlines():
        step, commit = line.split(" ", 1)
        stretches = [stretch for stretch in stretches if stretch[0] < int(step)]
        if not stretches or stretches[-1][1] != commit:
            stretches.append((int(step), commit))
    return stretches


def versions() -> dict[str, str]:
    """Versions of the libraries that training ran on."""
    return {package: version(package) for package in PACKAGES}


def curve(metrics: Path, name: str, points: int = 40) -> list[tuple[int, float]]:
    """A logged number over the run, averaged into at most `points` (step, value) pairs."""
    with metrics.open(newline="") as handle:
        rows = [(int(row["step"]), float(row["value"])) for row in csv.DictReader(handle) if row["metric"] == name]
    size = max(1, -(-len(rows) // points))
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(group[-1][0], round(_mean([value for _, value in group]), 5)) for group in groups]


def last_values(metrics: Path, prefix: str) -> dict[str, float]:
    """The latest value of every logged number whose name starts with `prefix`."""
    with metrics.open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["metric"].startswith(prefix)]
    return {row["metric"]: round(float(row["value"]), 5) for row in rows}


def describe_run(run: Path, settings: dict[str, Any], step: int) -> dict[str, Any]:
    """The training entry of a bundle."""
    metrics = run / "metrics.csv"
    return {
        "command": "python -m training.train CONFIG.yaml --run RUN",
        "config": settings,
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
