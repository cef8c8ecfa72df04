"""The training guide's commands from published files to a garment, on a small drawn data set (`make train-smoke`)."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from igr_core.model.bundle import Bundle
from tests.support.models.published_weights import write_published
from training.base.provenance import ROOT
from training.data.fixtures import write_fixture

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def commands() -> list[list[str]]:
    """The commands of the guide's block, continued lines joined, comments left out."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- scale -->\n```sh\n(.*?)```\n<!-- /scale -->", text, re.DOTALL)
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


def verb_of(words: list[str]) -> str:
    """Arguments of `python -m training`; empty for other commands."""
    return words[words.index("training") + 1] if "training" in words else ""


def small(command: list[str], places: dict[str, Path]) -> list[str]:
    """The command on the small data set: two CPU processes, few steps, small images."""
    words = [word for word in command]
    for name, place in places.items():
        words = [word.replace(f"${name}", str(place)) for word in words]
    words = ["2" if words[i - 1] == "--nproc-per-node" else word for i, word in enumerate(words)]
    if words[0].endswith("torchrun"):
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:]]
    else:
        words = [sys.executable, *words[1:]]
    verb = verb_of(words)
    if verb == "init":
        words += ["--size", "64x64"]
    if verb == "prepare":
        words += ["--shard", "8", "--device", "cpu"]
    if verb == "train":
        steps = "20" if any("coarse" in word for word in words) else "4"
        changes = (f"steps={steps}", "data.pairs_per_batch=2", "checkpoint_every=5", "validate_every=0", "log_every=1")
        words += [word for change in changes for word in ("--set", change)]
    if verb == "curate" and "score" in words:
        words += ["--share", "0.5"]
    if "igr_core" in words:
        photo = sorted((places["DATA"] / "test" / "image").iterdir())[0].stem
        words = [word.replace("00006_00", photo) for word in words] + ["--steps", "2"]
    return words


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with our packages, a drawn VITON-HD, and published files with random weights."""
    folder = tmp_path_factory.mktemp("desk")
    for package in ("training", "igr_core"):
        (folder / package).symlink_to(ROOT / package)
    write_published(folder / "weights")
    write_fixture("viton_hd", folder / "viton", 24, 0, (96, 128))
    (folder / "decisions.json").write_text('{"decisions": {"train/00001_00": "keep", "train/00002_00": "drop"}}')
    return folder


def run(command: list[str], desk: Path) -> str:
    done = subprocess.run(command, cwd=desk, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def killed_worker(command: list[str], desk: Path) -> str:
    """Start a training and kill one of its workers after the first checkpoint; returns its output."""
    process = subprocess.Popen(
        command, cwd=desk, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        for _ in waited(240):
            if list((desk / "runs" / "coarse" / "checkpoints").glob("step-000000005.pt")):
                break
            assert process.poll() is None, process.communicate()[0]
        workers = [child for child in psutil.Process(process.pid).children() if "train" in child.cmdline()]
        workers[-1].send_signal(signal.SIGKILL)
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode != 0
    return said


def waited(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)
    raise AssertionError(f"nothing after {seconds} s")


def losses(run_folder: Path) -> dict[int, float]:
    with (run_folder / "metrics.csv").open() as handle:
        return {int(row["step"]): float(row["value"]) for row in csv.DictReader(handle) if row["metric"] == "loss"}


def test_from_published_files_to_a_garment(desk: Path) -> None:
    places = {"DATA": desk / "viton", "WEIGHTS": desk / "weights"}
    for command in commands():
        words = small(command, places)
        if verb_of(words) == "train" and "training/configs/coarse.yaml" in words:
            said = killed_worker(words, desk)
            assert "2 processes, DeepSpeed ZeRO-2 on cpu" in said
            assert "Another process of the run has died" in said and "run the same command again to resume" in said
            again = run(words, desk)
            start = int(re.findall(r"starting at step (\d+)", again)[0])
            assert 5 <= start <= 20
        else:
            run(words, desk)
    assert sorted(losses(desk / "runs" / "coarse")) == list(range(1, 21))
    assert Bundle.open(desk / "runs" / "hqft" / "bundle.safetensors").info.training["parent"]["name"] == "IGR coarse"
    with Image.open(desk / "runs" / "garment.png") as garment:
        assert garment.size == (64, 64)
    chosen = json.loads((desk / "runs" / "curation" / "manifest.json").read_text())
    assert chosen
