"""`make bench-catalogue`: how the command `catalogue` behaves with thousands of rows.

Restores a table of copies of the example photos, 1% of its rows bad, in one process and on a local Ray cluster of two
nodes, one of which is lost in the middle. With --small-disk, also fills a disk in the middle of a run. Prints a table,
and with --write puts it into docs/catalogues.md.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer

from igr_core.catalogue.report.report import Report
from igr_core.catalogue.settings import GARMENTS, Output
from igr_core.files import atomic_file

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "nodes" / "examples"
DOCS = ROOT / "docs" / "catalogues.md"
START, END = "<!-- bench-catalogue -->", "<!-- /bench-catalogue -->"
PHOTOS = (("upper", "upper"), ("lower", "lower"), ("full", "full"), ("upper_closeup", "upper"))
"""Example photos with a mask of the same name, and the category of their garment."""
BAD = 100
"""Every row whose number is a multiple of this is bad."""
ROWS_ON_DISK = 200
"""Rows of the run in which the disk becomes full."""
EVERY = 1.0
"""Seconds between measurements of memory."""
SETTLED = 0.2
"""Fraction of a run after which memory is expected to be constant."""
RAY = """
import sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster
from igr_core.cli.app import app

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
node = cluster.add_node(num_cpus=2)
cluster.wait_for_nodes()

def lose(garments, count):
    while not garments.is_dir() or sum(1 for _ in garments.iterdir()) < count:
        time.sleep(0.5)
    cluster.remove_node(node, allow_graceful=False)
    print("lost a node", file=sys.stderr)

garments, count = Path(sys.argv[1]), int(sys.argv[2])
threading.Thread(target=lose, args=(garments, count), daemon=True).start()
try:
    app([*sys.argv[3:], "--ray", cluster.address, "--workers", "2"])
finally:
    cluster.shutdown()
"""
"""Runs the command on a cluster of two nodes, one of which is removed once `count` garments are written."""


@dataclass(frozen=True)
class Measured:
    """A run of the command."""

    code: int
    """Exit status of the run."""
    seconds: float
    """Duration of the run, including loading."""
    memory: tuple[tuple[float, float], ...]
    """Times in seconds, and the memory in MB that the process and its children used then (resident, unshared)."""
    told: str
    """Standard error of the run."""


def write_table(folder: Path, rows: int) -> Path:
    """A table of copies of the example photos; every BAD-th row is bad, in one of three ways."""
    (folder / "empty.webp").touch()
    with (folder / "table.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["photo", "mask", "category", "name"])
        for number in range(1, rows + 1):
            photo, category = PHOTOS[number % len(PHOTOS)]
            line = [EXAMPLES / f"{photo}.webp", EXAMPLES / f"{photo}_mask.png", category, f"g{number:06}"]
            if number % BAD == 0:
                what, value = ((0, "gone.webp"), (0, folder / "empty.webp"), (2, "shirt"))[number // BAD % 3]
                line[what] = value  # type: ignore[call-overload]
            writer.writerow(line)
    return folder / "table.csv"


def measure(command: list[str]) -> Measured:
    """Run a command and measure its memory."""
    start, memory = time.monotonic(), []
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=told)
        while process.poll() is None:
            memory.append((time.monotonic() - start, _memory_of(process.pid)))
            time.sleep(EVERY)
        told.seek(0)
        return Measured(process.returncode, time.monotonic() - start, tuple(memory), told.read())


def _memory_of(process: int) -> float:
    total = 0
    with suppress(psutil.Error):  # the process has just ended
        for one in [psutil.Process(process), *psutil.Process(process).children(recursive=True)]:
            with suppress(psutil.Error):  # a child has just ended
                total += one.memory_full_info().uss
    return total / 1e6


def growth(run: Measured) -> float:
    """Growth of memory in MB per minute: the slope of a line fitted to the measurements after the first fifth of the
    run."""
    settled = np.array([one for one in run.memory if one[0] > SETTLED * run.seconds])
    return float(np.polyfit(settled[:, 0] / 60, settled[:, 1], 1)[0]) if len(settled) > 2 else float("nan")


def words(table: Path, out: Path, how: Sequence[str]) -> list[str]:
    """The arguments of `python -m igr_core`."""
    return ["catalogue", str(table), "--out", str(out), *how, "--device", "cpu"]


def outcomes(out: Path) -> Counter[str]:
    """Number of garments by status; checks that each restored garment has exactly one image."""
    found = Report(Output(str(out))).outcomes
    images = {path.stem for path in (out / GARMENTS).iterdir()}
    assert images == {name for name, one in found.items() if one.image}, "images and report differ"
    return Counter(one.status for one in found.values())


def disk_full(table: Path, disk: Path, how: Sequence[str]) -> str:
    """Fill a small disk in the middle of a run, free it, and continue; returns a description of what happened."""
    out, filler = disk / "out", disk / "filler"
    free = psutil.disk_usage(str(disk)).free
    room = 24 * 2**20  # more than the command requires before it starts
    filler.write_bytes(b"\0" * max(0, free - room))

    def fill() -> None:
        while not (out / GARMENTS).is_dir() or len(list((out / GARMENTS).iterdir())) < 20:
            time.sleep(0.2)
        with suppress(OSError), (disk / "more").open("wb", buffering=0) as handle:
            while handle.write(b"\0" * 65536):
                pass

    threading.Thread(target=fill, daemon=True).start()
    first = measure([sys.executable, "-m", "igr_core", *words(table, out, how)])
    error = next((line for line in first.told.splitlines() if line.startswith("Error:")), "")
    assert first.code == 1 and error, first.told[-2000:]
    for path in (filler, disk / "more"):
        path.unlink(missing_ok=True)
    before = len(list((out / GARMENTS).iterdir()))
    second = measure([sys.executable, "-m", "igr_core", *words(table, out, how)])
    done = outcomes(out)["restored"]
    assert before < done == ROWS_ON_DISK - ROWS_ON_DISK // BAD, second.told[-2000:]
    known = error.replace(str(disk), "OUT")
    return (
        f"stopped with exit status {first.code} at {before} garments (“{known}”); after space was freed, {done} "
        f"restored (exit status {second.code})"
    )


def main(
    rows: Annotated[int, typer.Option(min=10, help="Rows of the table.")] = 2000,
    preset: Annotated[str, typer.Option(help="Preset of the runs.")] = "draft",
    small_disk: Annotated[Path | None, typer.Option(help="Empty folder on a disk of 40 to 200 MB to fill.")] = None,
    size: Annotated[str, typer.Option(help="Size of the garments.")] = "96x128",
    ray: Annotated[bool, typer.Option(help="Also run on a local Ray cluster.")] = True,
    write: Annotated[bool, typer.Option("--write", help="Write the table into docs/catalogues.md.")] = False,
) -> None:
    """Measure the command `catalogue` with a large table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, how = write_table(folder, rows), ("--preset", preset, "--size", size)
        lines = [
            "| | garments per minute | peak memory | growth | restored | failed |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        here = measure([sys.executable, "-m", "igr_core", *words(table, folder / "here", how)])
        lines.append(_line("one process", here, folder / "here", rows))
        if ray:
            out = folder / "ray"
            command = [sys.executable, "-c", RAY, str(out / GARMENTS), str(rows // 3)]
            cluster = measure([*command, *words(table, out, how)])
            assert "lost a node" in cluster.told, cluster.told[-2000:]
            lines.append(_line("Ray, two nodes, one lost after a third", cluster, out, rows))
        text = "\n".join(lines) + "\n"
        if small_disk is not None:
            few = write_table(small_disk, ROWS_ON_DISK)
            text += f"\nDisk full in the middle of {ROWS_ON_DISK} rows: {disk_full(few, small_disk, how)}.\n"
        text += f"\n{rows:,} rows at {size}, preset {preset}, {os.cpu_count()} cores.\n"
    sys.stdout.write(text)
    if write:
        _write(text)


def _line(label: str, run: Measured, out: Path, rows: int) -> str:
    found = outcomes(out)
    assert found["failed"] == rows // BAD and found["restored"] == rows - rows // BAD, found
    peak = max(memory for _, memory in run.memory)
    speed = found["restored"] / run.seconds * 60
    return (
        f"| {label} | {speed:.0f} | {peak / 1000:.2f} GB | {growth(run):+.1f} MB a minute | {found['restored']:,} | "
        f"{found['failed']:,} |"
    )


def _write(text: str) -> None:
    page = DOCS.read_text()
    before, rest = page.split(START)
    _, after = rest.split(END)
    with atomic_file(DOCS) as temporary:
        temporary.write_text(f"{before}{START}\n{text}{END}{after}")


if __name__ == "__main__":
    typer.run(main)
