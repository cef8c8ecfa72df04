"""The command `catalogue`: from a table to garments and a report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from igr_core.catalogue.report.report import Report
from igr_core.catalogue.settings import BEGUN, Output
from tests.support.catalogue.table import write_table
from tests.support.cli_kit import fails, files, invoke, write_pair

pytest.importorskip("pyarrow", reason="only the extra `catalogue` writes reports")
pytest.importorskip("jinja2", reason="only the extra `catalogue` writes reports")
ROOT = Path(__file__).parents[3]
QUICK = ("--steps", 2, "--guidance", 1, "--device", "cpu", "--batch", 2, "--no-evidence")


def run(table: Path, bundle: Path, *more: object):
    return invoke("catalogue", table, "--out", table.parent / "out", "--bundle", bundle, *QUICK, *more)


def statuses(folder: Path) -> dict[str, str]:
    return {name: one.status for name, one in Report(Output(str(folder / "out"))).outcomes.items()}


def test_a_table_becomes_garments_and_a_report(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abcd", missing="c")
    with table.open("a") as handle:
        handle.write("photos/a.png,masks/a.png,shirt,odd\n")
    result = run(table, bundle)
    assert result.exit_code == 1 and "3 restored, 2 failed, in" in result.stdout
    assert "Failed: row 5: The category is 'shirt'" in result.stderr and "Failed: c: " in result.stderr
    assert statuses(tmp_path) == {
        "a": "restored",
        "b": "restored",
        "c": "failed",
        "d": "restored",
        "row 5": "failed",
    }
    assert files(tmp_path / "out" / "garments") == ["a.png", "b.png", "d.png"]
    assert {"report.csv", "report.html", "report.parquet"} <= set(files(tmp_path / "out"))


def test_a_second_run_restores_only_what_failed(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abc", missing="b")
    run(table, bundle)
    first = (tmp_path / "out" / "garments" / "a.png").stat().st_mtime_ns
    write_pair(tmp_path, "b.png")
    result = run(table, bundle)
    assert result.exit_code == 0 and "1 restored, 2 already done, 0 failed" in result.stdout
    assert (tmp_path / "out" / "garments" / "a.png").stat().st_mtime_ns == first
    result = run(table, bundle)
    assert result.exit_code == 0 and "0 restored, 3 already done, 0 failed" in result.stdout


def test_garments_of_other_settings_are_not_mixed(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "a")
    run(table, bundle)
    fails(run(table, bundle, "--seed", 4), 1, "a was restored with other settings (seed 0, now 4)", "--overwrite")
    assert run(table, bundle, "--seed", 4, "--overwrite").exit_code == 0


KILL = """
import os, signal, sys
from igr_core.catalogue.stages.restoring import Restoring
from igr_core.cli.app import app
restore, batches = Restoring._restore_all, 0
def restore_or_die(self, given):
    global batches
    batches += 1
    if batches == 3:
        os.kill(os.getpid(), getattr(signal, os.environ["HOW"]))
    return restore(self, given)
Restoring._restore_all = restore_or_die
app(sys.argv[1:])
"""


def killed(table: Path, bundle: Path, how: str) -> subprocess.CompletedProcess[str]:
    """A run of the command that the system ends in the middle of its third batch."""
    words = ["catalogue", table, "--out", table.parent / "out", "--bundle", bundle, *QUICK]
    return subprocess.run(
        [sys.executable, "-c", KILL, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "HOW": how},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_that_is_killed_goes_on_and_its_report_is_complete(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abcdefgh")
    assert killed(table, bundle, "SIGKILL").returncode == -9
    left = files(tmp_path / "out" / BEGUN)
    assert set(left) >= {"e", "f"}
    before = statuses(tmp_path)  # what was written is known, though no report was
    assert set(files(tmp_path / "out" / "garments")) == {f"{name}.png" for name in before}
    result = run(table, bundle)
    assert result.exit_code == 0 and f"{8 - len(before)} restored" in result.stdout
    assert statuses(tmp_path) == dict.fromkeys("abcdefgh", "restored") and not files(tmp_path / "out" / BEGUN)


def test_a_garment_at_which_two_runs_are_killed_is_left_out_until_it_is_retried(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "ab")
    (tmp_path / "out" / BEGUN).mkdir(parents=True)
    (tmp_path / "out" / BEGUN / "b").write_text("2")
    result = run(table, bundle)
    assert result.exit_code == 1 and "Failed: b: Two workers died at this garment" in result.stderr
    assert statuses(tmp_path) == {"a": "restored", "b": "crashed"}
    result = run(table, bundle)
    assert result.exit_code == 0 and "left out because workers died at them: 1" in result.stderr
    assert run(table, bundle, "--retry-crashed").exit_code == 0
    assert statuses(tmp_path) == {"a": "restored", "b": "restored"}


def test_a_run_that_is_stopped_keeps_what_is_done(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abcdefgh")
    result = killed(table, bundle, "SIGTERM")
    assert result.returncode == 130, result.stderr
    assert "run the same command to continue" in result.stderr and "Traceback" not in result.stderr
    assert statuses(tmp_path) == dict.fromkeys("abcd", "restored") and not files(tmp_path / "out" / BEGUN)


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (("--min-evidence", 0.5), 2, "--detail and --min-evidence need the evidence: remove --no-evidence"),
        (("--workers", 2), 2, "--workers only works with --ray"),
        (("--segmenter", "gone"), 2, "--segmenter gone does not exist"),
        (("--masks", "masks"), 1, "--masks only works with a folder of photos"),
        (("--size", "50x50"), 2, "--size: "),
        (("--bundle", "gone.safetensors"), 1, "gone.safetensors"),
    ],
)
def test_mistakes_are_reported_before_anything_is_written(
    tmp_path: Path, bundle: Path, more: tuple[object, ...], code: int, sentence: str
) -> None:
    fails(run(write_table(tmp_path, "a"), bundle, *more), code, sentence)
    assert not (tmp_path / "out").exists()


def test_a_photo_without_a_mask_needs_a_parser(tmp_path: Path, bundle: Path) -> None:
    write_pair(tmp_path, "a.png")
    result = invoke("catalogue", tmp_path / "photos", "--out", tmp_path / "out", "--bundle", bundle, "--parser", "gone")
    fails(result, 2, "--parser gone does not exist: use the folder of a human parser")


def test_without_the_extra_one_sentence_says_what_to_install(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    fails(run(write_table(tmp_path, "a"), bundle), 1, "A catalogue needs jinja2 and pyarrow: run `pip install")
