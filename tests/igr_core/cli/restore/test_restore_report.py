"""The CSV report of the command `restore`."""

import csv
from pathlib import Path

from PIL import Image

from tests.support.cli_kit import fails, files, restore, write_pair


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


def test_images_that_are_kept_stay_opaque_which_is_noted(tmp_path: Path, bundle: Path):
    given = folders(tmp_path, "anna.jpg")
    assert restore(*given, bundle).exit_code == 0
    result = restore(*given, bundle, "--transparent")
    assert (
        "Note: existing images keep their background; use --overwrite" in result.stderr and "1 already" in result.stdout
    )
    result = restore(*given, bundle, "--transparent", "--overwrite")
    assert "keep their background" not in result.stderr
    with Image.open(given[2] / "anna.png") as image:
        assert image.mode == "RGBA"


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
    fails(restore(photo, mask, out, bundle, "--report", table), 1, "is not a report from this command")
    fails(restore(photo, mask, out, bundle, "--report", photo), 2, "would overwrite an input")
    assert table.read_text() == "name,price\nanna,3\n" and not out.exists()


def test_a_report_in_place_of_another_output_is_refused_however_it_is_spelled(tmp_path: Path, stub: Path):
    """The stub cannot be loaded, so the error must be raised before the model is loaded."""
    photo, mask = write_pair(tmp_path, "anna.png")
    photos, masks, out = photo.parent, mask.parent, tmp_path / "out"
    twice, x = "would be written twice: choose another name for --report", tmp_path / "x.png"
    for given, more in (
        ((photo, mask, x), ("--report", x)),
        ((photo, mask, x), ("--report", masks / ".." / "x.png")),
        ((photo, mask, x), ("--report", tmp_path / "gone" / ".." / "x.png")),
        ((photo, mask, x), ("--report", tmp_path / "ev.png", "--evidence", tmp_path / "ev.png")),
        ((photos, masks, out), ("--report", out / "anna.png")),
        ((photos, masks, out), ("--report", out / "set-aside" / "anna.png", "--min-evidence", 1)),
        ((photos, masks, out), ("--report", tmp_path / "ev" / "anna.png", "--evidence", tmp_path / "ev")),
    ):
        result = restore(*given, stub, *more)
        fails(result, 2, f"{more[1]} {twice}")
    assert files(tmp_path) == ["masks", "photos", "stub.safetensors"]


def test_a_report_in_place_of_a_folder_or_an_input_is_refused(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    photos, masks, out = photo.parent, mask.parent, tmp_path / "out"
    for report in (out, tmp_path / "gone" / ".." / "out"):
        fails(
            restore(photos, masks, out, stub, "--report", report),
            2,
            "would be a file, but also the folder that contains",
        )
    fails(restore(photos, masks, report, stub, "--report", tmp_path / "r.csv"), 1, "leads through", "does not exist")
    hidden = tmp_path / "gone" / ".." / "photos"
    fails(restore(photos, masks, out, stub, "--report", hidden / "anna.png"), 2, "would overwrite an input")
    fails(restore(photos, masks, hidden, stub), 2, "is an input folder: choose another folder")
    table = tmp_path / "categories.csv"
    table.write_text("name,category\nanna,upper\n")
    result = restore(photos, masks, out, stub, "--report", tmp_path / "gone" / ".." / table.name, category=table)
    fails(result, 1, "leads through", "leave it out of the path")
    assert table.read_text().startswith("name,category") and not out.exists()


def test_a_photo_whose_mask_was_added_later_is_used_and_no_longer_listed_as_failed(tmp_path: Path, bundle: Path):
    given = folders(tmp_path, "anna.png")
    second, _ = write_pair(tmp_path, "anna__2.png")
    with Image.open(second) as photo:
        photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(second)
    mask = given[1] / "anna__2.png"
    added = mask.read_bytes()
    mask.unlink()
    report = ("--report", tmp_path / "r.csv")
    first = restore(*given, bundle, *report)
    assert first.exit_code == 1 and "put anna__2.png into" in first.output
    assert lines(report[1])[second.name]["result"] == "failed"
    before = (given[2] / "anna.png").read_bytes()
    mask.write_bytes(added)
    again = restore(*given, bundle, *report)
    assert again.exit_code == 0 and "1 restored" in again.output, again.output
    assert list(lines(report[1])) == ["anna.png"] and (given[2] / "anna.png").read_bytes() != before
    assert "1 already done" in restore(*given, bundle, *report).output
