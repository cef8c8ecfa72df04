"""The command `catalogue`: from a table to garments and a report."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from igr_core.catalogue.report.report import Report
from igr_core.catalogue.run import in_use
from igr_core.catalogue.settings import BEGUN, Output
from igr_core.storage import Folder
from tests.support.catalogue.table import write_table
from tests.support.cli_kit import fails, files, invoke, write_pair
from tests.support.models.tiny_sam2 import save_sam2

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


def test_a_garment_is_restored_again_if_its_row_changes(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "ab")
    run(table, bundle)
    table.write_text(table.read_text().replace("upper,b", "lower,b"))
    result = run(table, bundle)
    assert "these garments will be restored again because their rows have changed: b." in result.stderr
    assert "1 restored, 1 already done" in result.stdout
    assert Report(Output(str(tmp_path / "out"))).outcomes["b"].category == "lower"


def test_a_garment_is_restored_again_when_a_photo_that_was_missing_is_there(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, ["a", "b"], missing="b")
    lines = table.read_text().splitlines()
    table.write_text("\n".join(["photo,mask,category,garment", *(line[:-1] + "g" for line in lines[1:])]) + "\n")
    result = run(table, bundle)
    assert result.exit_code == 0 and "1 restored, 0 failed" in result.stdout
    assert "Note: 1 garment was restored without some of the photos; the report says why." in result.stderr
    assert Report(Output(str(tmp_path / "out"))).outcomes["g"].photos == 1
    write_pair(tmp_path, "b.png")
    result = run(table, bundle)
    assert "1 restored, 0 failed" in result.stdout and "Note:" not in result.stderr
    assert Report(Output(str(tmp_path / "out"))).outcomes["g"].photos == 2
    assert "0 restored, 1 already done" in run(table, bundle).stdout


def test_rows_that_are_gone_leave_no_failures_in_the_report(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abc", missing="c")
    run(table, bundle)
    write_table(tmp_path, "b")
    assert run(table, bundle).exit_code == 0
    assert statuses(tmp_path) == {"a": "restored", "b": "restored"}


def test_two_runs_do_not_use_one_folder(tmp_path: Path, bundle: Path) -> None:
    table, output = write_table(tmp_path, "a"), Output(str(tmp_path / "out"))
    with in_use(output):
        fails(run(table, bundle), 1, "out is being used by another run: wait for it to finish, or use another --out")
    assert run(table, bundle).exit_code == 0


@pytest.mark.parametrize("name", ["garments/a.png", "report.csv"])
def test_files_that_no_run_wrote_are_not_overwritten(tmp_path: Path, bundle: Path, name: str) -> None:
    table, file = write_table(tmp_path, "a"), tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    fails(run(table, bundle), 1, f"has files that no catalogue run wrote ({name.partition('/')[0]}): use another --out")
    assert file.read_bytes() == b"mine"


def test_relative_paths_are_those_of_the_command(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(tmp_path, "a")
    monkeypatch.chdir(tmp_path)
    assert invoke("catalogue", "table.csv", "--out", "out", "--bundle", bundle, *QUICK).exit_code == 0
    assert Report(Output("out")).outcomes["a"].photo == str(tmp_path / "photos" / "a.png")


def test_everything_can_be_at_urls(tmp_path: Path, bundle: Path) -> None:
    """Photos, masks, the table and the output are in fsspec's memory."""
    pytest.importorskip("fsspec", reason="only the extra `catalogue` reads URLs")
    table = write_table(tmp_path, "ab")
    text = table.read_text().replace("photos/", "memory://everything/photos/")
    table.write_text(text.replace("masks/", "memory://everything/masks/"))
    for path in (table, *(tmp_path / "photos").iterdir(), *(tmp_path / "masks").iterdir()):
        Folder(f"memory://everything/{path.parent.name if path != table else 'tables'}").write(
            path.name, path.read_bytes()
        )
    words = (
        "catalogue",
        "memory://everything/tables/table.csv",
        "--out",
        "memory://everything/out",
        "--bundle",
        bundle,
    )
    result = invoke(*words, *QUICK)
    assert result.exit_code == 0, result.output
    assert Folder("memory://everything/out/garments").names() == ["a.png", "b.png"]
    assert {one.status for one in Report(Output("memory://everything/out")).outcomes.values()} == {"restored"}


def test_an_overwritten_run_that_is_killed_goes_on_without_overwrite(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abcdefgh")
    run(table, bundle, "--seed", 9)
    assert killed(table, bundle, "SIGKILL", "e", "--overwrite").returncode == -9
    done = statuses(tmp_path)
    assert len(done) < 8 and set(done.values()) == {"restored"}
    result = run(table, bundle)
    assert result.exit_code == 0 and f"{8 - len(done)} restored" in result.stdout


def test_an_overwritten_run_that_is_killed_leaves_no_image_of_the_old_settings(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abcdefgh")
    run(table, bundle, "--format", "webp")
    assert killed(table, bundle, "SIGKILL", "e", "--overwrite").returncode == -9
    assert run(table, bundle).exit_code == 0
    assert files(tmp_path / "out" / "garments") == [f"{name}.png" for name in "abcdefgh"]


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
    if os.environ["AT"] in [one.name for one in given] or (batches == 3 and not os.environ["AT"]):
        os.kill(os.getpid(), getattr(signal, os.environ["HOW"]))
    return restore(self, given)
Restoring._restore_all = restore_or_die
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
app(sys.argv[1:])
"""


def killed(table: Path, bundle: Path, how: str, at: str = "", *more: str) -> subprocess.CompletedProcess[str]:
    """A run of the command that is killed while it restores a given garment or, by default, in its third batch."""
    words = ["catalogue", table, "--out", table.parent / "out", "--bundle", bundle, *QUICK, *more]
    return subprocess.run(
        [sys.executable, "-c", KILL, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "HOW": how, "AT": at},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_that_is_killed_goes_on_and_its_report_is_complete(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abcdefgh")
    assert killed(table, bundle, "SIGKILL").returncode == -9
    assert files(tmp_path / "out" / BEGUN)
    before = statuses(tmp_path)  # the written garments are known, although the report was not written
    assert set(files(tmp_path / "out" / "garments")) >= {f"{name}.png" for name in before}
    result = run(table, bundle)
    assert result.exit_code == 0 and f"{8 - len(before)} restored" in result.stdout
    assert statuses(tmp_path) == dict.fromkeys("abcdefgh", "restored") and not files(tmp_path / "out" / BEGUN)


def test_a_garment_on_which_two_runs_crash_is_left_out_until_it_is_retried(tmp_path: Path, bundle: Path) -> None:
    table = write_table(tmp_path, "abcdefgh")
    for _ in range(2):
        assert killed(table, bundle, "SIGKILL", "e").returncode == -9
    result = run(table, bundle)
    assert result.exit_code == 1 and "Failed: e: Two workers crashed on this garment" in result.stderr
    assert statuses(tmp_path) == dict.fromkeys("abcdfgh", "restored") | {"e": "crashed"}
    result = run(table, bundle)
    assert result.exit_code == 1 and "1 garment was left out after crashing two workers: use --retry" in result.stderr
    assert run(table, bundle, "--retry-crashed").exit_code == 0
    assert statuses(tmp_path) == dict.fromkeys("abcdefgh", "restored")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP"])
def test_a_run_that_is_stopped_keeps_what_is_done(tmp_path: Path, bundle: Path, how: str) -> None:
    if not hasattr(signal, how):
        pytest.skip("this system has no terminals that hang up")
    table = write_table(tmp_path, "abcdefgh")
    result = killed(table, bundle, how)
    assert result.returncode == 130, result.stderr
    assert (
        "Stopped after 4 garments: run the same command without --overwrite to continue" in result.stderr
        and "Traceback" not in result.stderr
    )
    assert statuses(tmp_path) == dict.fromkeys("abcd", "restored") and not files(tmp_path / "out" / BEGUN)


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (("--min-evidence", 0.5), 2, "--detail and --min-evidence require --evidence: remove --no-evidence"),
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
    fails(result, 2, "--parser gone does not exist: specify the folder of a human parser")


def test_a_box_gives_the_mask_that_the_mask_command_finds(tmp_path: Path, bundle: Path) -> None:
    """No parser is loaded, because no photo needs it."""
    photo, _ = write_pair(tmp_path, "a.png")
    sam2, table, found = save_sam2(tmp_path / "sam2"), tmp_path / "table.csv", tmp_path / "found.png"
    table.write_text("photo,box,category,name\nphotos/a.png,10 20 50 80,upper,a\n")
    result = run(table, bundle, "--segmenter", sam2, "--parser", "gone")
    assert result.exit_code == 0, result.stderr
    asked = ("mask", photo, "--box", "10,20,50,80", "--segmenter", sam2, "--out", found, "--device", "cpu")
    assert invoke(*asked).exit_code == 0
    table.write_text("photo,mask,category,name\nphotos/a.png,found.png,upper,a\n")
    again = invoke("catalogue", table, "--out", tmp_path / "again", "--bundle", bundle, *QUICK)
    assert again.exit_code == 0, again.stderr
    images = [(tmp_path / out / "garments" / "a.png").read_bytes() for out in ("out", "again")]
    assert images[0] == images[1]


def test_without_the_extra_one_sentence_says_what_to_install(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    fails(run(write_table(tmp_path, "a"), bundle), 1, "A catalogue needs jinja2 and pyarrow: run `pip install")
