"""The CSV report of the command `restore`."""

import csv
from pathlib import Path

from tests.support.cli_kit import fails, restore, write_pair


def lines(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return {line["photo"]: line for line in csv.DictReader(handle)}


def folders(tmp_path: Path, *names: str) -> tuple[Path, Path, Path]:
    for name in names:
        write_pair(tmp_path, name)
    return tmp_path / "photos", tmp_path / "masks", tmp_path / "out"


def test_every_photo_has_a_line(tmp_path: Path, bundle: Path):
    given = folders(tmp_path, "anna.jpg", "bert, the second.jpg")
    (given[0] / "broken.jpg").write_bytes(b"no image")
    (given[1] / "broken.png").write_bytes((given[1] / "anna.png").read_bytes())
    report = tmp_path / "reports" / "all.csv"
    done = restore(*given, bundle, "--report", report, "--min-evidence", "0")
    assert done.exit_code == 1, done.output
    found = lines(report)
    assert list(found) == ["anna.jpg", "bert, the second.jpg", "broken.jpg"]
    assert found["anna.jpg"]["result"] == "restored" and found["anna.jpg"]["visible"] == ""
    assert found["anna.jpg"]["image"] == str(given[2] / "anna.png") and Path(found["anna.jpg"]["image"]).is_file()
    assert found["broken.jpg"]["result"] == "failed" and "broken.jpg" in found["broken.jpg"]["notes"]


def test_the_visible_fraction_and_what_was_set_aside_are_listed(tmp_path: Path, bundle: Path):
    given = folders(tmp_path, "anna.jpg")
    report = tmp_path / "all.csv"
    assert restore(*given, bundle, "--report", report, "--min-evidence", "1").exit_code == 0
    line = lines(report)["anna.jpg"]
    assert line["result"] == "set aside" and 0 <= float(line["visible"]) < 1
    assert line["image"] == str(given[2] / "set-aside" / "anna.png")
    assert "of the garment was not visible" in line["notes"]


def test_a_later_run_keeps_the_lines_of_photos_that_are_done(tmp_path: Path, bundle: Path):
    given = folders(tmp_path, "anna.jpg")
    report = tmp_path / "all.csv"
    evidence = ("--evidence", tmp_path / "maps", "--report", report)
    assert restore(*given, bundle, *evidence).exit_code == 0
    before = lines(report)["anna.jpg"]
    folders(tmp_path, "bert.jpg")
    assert restore(*given, bundle, *evidence).exit_code == 0
    found = lines(report)
    assert found["anna.jpg"] == before and found["bert.jpg"]["visible"]


def test_a_spreadsheet_computes_no_name(tmp_path: Path, bundle: Path):
    given = folders(tmp_path, "=1+1.jpg", "@SUM(A1).jpg", "-rf.jpg", "'quoted.jpg")
    report = tmp_path / "all.csv"
    for _ in range(2):  # the second run reads the report of the first
        assert restore(*given, bundle, "--report", report).exit_code == 0
        assert list(lines(report)) == ["'quoted.jpg", "'-rf.jpg", "'=1+1.jpg", "'@SUM(A1).jpg"]


def test_no_other_file_is_overwritten(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.jpg")
    out, table = tmp_path / "out.png", tmp_path / "prices.csv"
    table.write_text("name,price\nanna,3\n")
    fails(restore(photo, mask, out, bundle, "--report", table), 1, "is not a report of this command")
    fails(restore(photo, mask, out, bundle, "--report", photo), 1, "is not a report of this command")
    fails(restore(photo, mask, out, bundle, "--report", out), 2, "would be written twice")
    assert table.read_text() == "name,price\nanna,3\n" and not out.exists()
