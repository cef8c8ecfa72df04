"""A `restore` that is stopped or killed loses no line of its report."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from igr_core.cli.shared import stopped_by_signal
from igr_core.restore.report_file import EARLIER, read_report
from tests.support.cli_kit import files, restore, write_pair

ROOT = Path(__file__).parents[4]
NAMES = [f"p{number}.png" for number in range(4)]
KILL = """
import os, signal, sys
import igr_core.restore.jobs
from igr_core.cli.app import app
load, count = igr_core.restore.jobs._load_views, 0
def load_or_end(*arguments):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), getattr(signal, os.environ["HOW"]))
    return load(*arguments)
igr_core.restore.jobs._load_views = load_or_end
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
app(sys.argv[1:])
"""


def killed(folder: Path, bundle: Path, how: str) -> subprocess.CompletedProcess[str]:
    """A run that is killed when it starts with its third photo."""
    words = ["restore", "photos", "--mask", "masks", "--out", "out", "--bundle", bundle, "--category", "upper"]
    more = ["--report", "r.csv", "--evidence", "ev", "--steps", "2", "--device", "cpu"]
    return subprocess.run(
        [sys.executable, "-c", KILL, *map(str, words), *more],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HOW": how},
        capture_output=True,
        text=True,
        check=False,
    )


def again(folder: Path, bundle: Path, *more: object):
    done = restore(folder / "photos", folder / "masks", folder / "out", bundle, "--report", folder / "r.csv", *more)
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system ends processes without signals")
@pytest.mark.parametrize(("how", "code"), [("SIGTERM", 130), ("SIGHUP", 130), ("SIGKILL", -9)])
def test_every_photo_has_a_line_after_a_run_that_was_ended(tmp_path: Path, bundle: Path, how: str, code: int) -> None:
    for name in NAMES:
        write_pair(tmp_path, name)
    result = killed(tmp_path, bundle, how)
    assert result.returncode == code and "Traceback" not in result.stderr, result.stderr
    assert files(tmp_path / "out") == ["p0.png", "p1.png"]
    before = read_report(tmp_path / "r.csv")
    assert list(before) == NAMES[:2]
    assert how == "SIGKILL" or "run the same command to continue" in result.stderr
    assert "2 restored, 2 already done" in again(tmp_path, bundle, "--evidence", tmp_path / "ev").stdout
    found = read_report(tmp_path / "r.csv")
    assert list(found) == NAMES and {line["result"] for line in found.values()} == {"restored"}
    assert all(line["visible"] for line in found.values()) and {name: found[name] for name in before} == before


def test_a_report_that_is_added_later_has_a_line_for_each_finished_photo(tmp_path: Path, bundle: Path) -> None:
    for name in NAMES:
        write_pair(tmp_path, name)
    given = tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle
    assert restore(*given).exit_code == 0
    (tmp_path / "out" / "set-aside").mkdir()
    (tmp_path / "out" / "p3.png").rename(tmp_path / "out" / "set-aside" / "p3.png")
    assert "4 already done" in again(tmp_path, bundle).stdout
    found = read_report(tmp_path / "r.csv")
    assert [line["result"] for line in found.values()] == ["restored"] * 3 + ["set aside"]
    for line in found.values():
        assert Path(line["image"]).is_file() and line["visible"] == "" and line["notes"] == EARLIER


def test_a_failure_is_not_reported_for_a_photo_that_was_restored_since(tmp_path: Path, bundle: Path) -> None:
    photo, mask = write_pair(tmp_path, "anna.png")
    good = photo.read_bytes()
    photo.write_bytes(b"no image")
    report = ("--report", tmp_path / "r.csv")
    assert restore(photo.parent, mask.parent, tmp_path / "out", bundle, *report).exit_code == 1
    photo.write_bytes(good)
    assert restore(photo.parent, mask.parent, tmp_path / "out", bundle).exit_code == 0
    again(tmp_path, bundle)
    assert read_report(tmp_path / "r.csv")["anna.png"]["notes"] == EARLIER


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no terminals that hang up")
def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As with nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signal():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
