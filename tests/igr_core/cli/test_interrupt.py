"""Ctrl-C on the command line keeps finished images and leaves no partial files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_kit import files, restore, write_pair

ROOT = Path(__file__).parents[3]


INTERRUPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
import igr_core.restore.jobs
from igr_core.cli.app import app
save, count = igr_core.restore.jobs.save_image, 0
def save_then_interrupt(*arguments):
    global count
    save(*arguments)
    count += 1
    if count == 2:
        os.kill(os.getpid(), signal.SIGINT)
igr_core.restore.jobs.save_image = save_then_interrupt
app(sys.argv[1:])
"""


def test_ctrl_c_between_photos_keeps_what_is_done(tmp_path: Path, bundle: Path):
    for name in ("anna.png", "bert.png", "carl.png"):
        write_pair(tmp_path, name)
    words = ["restore", "photos", "--mask", "masks", "--out", "out", "--bundle", bundle, "--category", "upper"]
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPT, *map(str, words), "--steps", "1", "--device", "cpu"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 130, result.stderr
    assert "run the same command to continue" in result.stderr and "Traceback" not in result.stderr
    assert files(tmp_path / "out") == ["anna.png", "bert.png"]
    result = restore(tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle)
    assert result.exit_code == 0 and "1 restored, 2 already done" in result.stdout


INTERRUPT_SAMPLING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
import igr_core.restore.jobs
from igr_core.cli.app import app
run_jobs = igr_core.restore.jobs.run_jobs
def run_and_interrupt(jobs, report, settings, restorer, on_step, on_photo):
    def step(done, total):
        on_step(done, total)
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)
    run_jobs(jobs, report, settings, restorer, step, on_photo)
igr_core.restore.jobs.run_jobs = run_and_interrupt
app(sys.argv[1:])
"""


@pytest.mark.parametrize("earlier", [None, b"an earlier picture"])
def test_ctrl_c_in_mid_sampling_leaves_no_file_and_keeps_an_earlier_one(
    tmp_path: Path, bundle: Path, earlier: bytes | None
):
    photo, mask = write_pair(tmp_path, "anna.png")
    out = tmp_path / "out" / "anna.png"
    if earlier is not None:
        out.parent.mkdir()
        out.write_bytes(earlier)
    words = ["restore", photo, "--mask", mask, "--out", out, "--bundle", bundle, "--category", "upper"]
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPT_SAMPLING, *map(str, words), "--steps", "4", "--device", "cpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 130, result.stderr
    assert "Stopped after 0 of 1" in result.stderr and "Traceback" not in result.stderr
    assert files(out.parent) == ([] if earlier is None else ["anna.png"])
    assert earlier is None or out.read_bytes() == earlier
