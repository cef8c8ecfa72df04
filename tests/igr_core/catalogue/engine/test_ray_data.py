"""A catalogue on a Ray cluster: every garment is restored exactly once, even if workers and a machine are lost."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from igr_core.catalogue.engine.ray_data import run_on_ray
from igr_core.catalogue.report.report import Report
from igr_core.catalogue.settings import BEGUN, GARMENTS, RECORDS, THUMBNAILS, Output
from igr_core.errors import IGRError
from tests.support.catalogue.table import quick_settings, write_table

ROOT = Path(__file__).parents[4]


def test_sixty_rows_are_restored_once_though_workers_and_a_node_are_lost(tmp_path: Path, bundle: Path) -> None:
    """One garment always kills its worker, one kills it once, one has no photo, and a node is lost in the middle."""
    pytest.importorskip("ray", reason="only the extra `ray` runs on clusters")
    names = [{10: "poison", 20: "killed", 30: "gone"}.get(number, f"g{number:02}") for number in range(60)]
    table = write_table(tmp_path, names, missing=["gone"])
    (tmp_path / "notes").mkdir()
    command = [
        sys.executable,
        "-m",
        "tests.support.catalogue.ray_run",
        table,
        bundle,
        tmp_path / "out",
        tmp_path / "notes",
    ]
    done = subprocess.run([*command, "lose"], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "notes" / "killed").exists()
    assert 4 <= int((tmp_path / "notes" / "lost").read_text()) < 50  # in the middle
    told = Counter(line for line in done.stdout.splitlines() if ": " in line and line.split(": ")[0] in names)
    assert set(told.values()) == {1} and len(told) == 60
    output = Output(str(tmp_path / "out"))
    statuses = {name: one.status for name, one in Report(output).outcomes.items()}
    assert statuses.pop("poison") == "crashed" and statuses.pop("gone") == "failed"
    assert set(statuses.values()) == {"restored"} and len(statuses) == 58
    assert {path.stem for path in (tmp_path / "out" / GARMENTS).iterdir()} == set(statuses)
    assert output.folder(BEGUN).names() == output.folder(RECORDS).names() == []  # all in the report


def test_the_command_ends_if_its_output_cannot_be_written_and_then_goes_on(tmp_path: Path, bundle: Path) -> None:
    pytest.importorskip("ray", reason="only the extra `ray` runs on clusters")
    table, out = write_table(tmp_path, "abcde"), tmp_path / "out"
    (out / RECORDS).mkdir(parents=True)
    (out / THUMBNAILS).touch()
    words = [table, "--out", out, "--bundle", bundle, "--steps", 2, "--guidance", 1, "--batch", 2, "--no-evidence"]
    command = [sys.executable, "-m", "tests.support.catalogue.ray_command", out / THUMBNAILS, *words]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line for line in done.stdout.splitlines() if line.startswith("exit")] == ["exit 1", "exit 0"]
    assert "Traceback" not in done.stderr and f"{out / THUMBNAILS}" in done.stderr
    assert {name: one.status for name, one in Report(Output(str(out))).outcomes.items()} == dict.fromkeys(
        "abcde", "restored"
    )


def test_without_ray_one_sentence_says_what_to_install(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(IGRError, match=r"--ray needs Ray: run `pip install 'ray\[data\]'` on all machines"):
        list(run_on_ray([], quick_settings(bundle), Output(str(tmp_path)), "auto"))


def test_a_cluster_that_does_not_exist_is_reported_at_once(tmp_path: Path, bundle: Path) -> None:
    pytest.importorskip("ray", reason="only the extra `ray` runs on clusters")
    with pytest.raises(IGRError, match="No Ray cluster was found at 127.0.0.1:1 .*: start one with `ray start --head`"):
        list(run_on_ray([], quick_settings(bundle), Output(str(tmp_path)), "127.0.0.1:1"))
