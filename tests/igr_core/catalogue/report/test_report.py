"""The report: complete however a run ends."""

import csv
import dataclasses
from pathlib import Path

import pytest

from igr_core.catalogue.report.outcome import COLUMNS, FAILED, RESTORED, Outcome
from igr_core.catalogue.report.records import record_name, to_record
from igr_core.catalogue.report.report import Report
from igr_core.catalogue.settings import RECORDS, Output
from igr_core.errors import IGRError

pytest.importorskip("pyarrow", reason="only the extra `catalogue` writes Parquet")

GOOD = Outcome("a", RESTORED, "p/a.jpg", 2, "upper", "garments/a.png", evidence=0.5, seconds=1.25, warnings="É, odd.")
BAD = Outcome("b", FAILED, "p/b.jpg", error="Gone: look.")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(str(tmp_path))


def test_what_is_written_is_read_again(output: Output, tmp_path: Path) -> None:
    report = Report(output)
    report.add(BAD)
    report.add(GOOD)
    report.write("shop")
    assert Report(output).outcomes == {"a": GOOD, "b": BAD}
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8-sig") as handle:
        lines = list(csv.DictReader(handle))
    assert tuple(lines[0]) == COLUMNS and [line["name"] for line in lines] == ["a", "b"]
    assert lines[0]["evidence"] == "0.5" and lines[1]["evidence"] == "" and lines[0]["warnings"] == "É, odd."


def test_a_record_that_a_killed_run_left_is_part_of_the_report(output: Output) -> None:
    report = Report(output)
    report.add(BAD)
    report.write("shop")
    left = [GOOD, Outcome("b", RESTORED, "p/b.jpg")]
    output.folder(RECORDS).write(record_name(["a", "b"]), to_record(left))
    after = Report(output)
    assert after.outcomes["a"] == GOOD and after.outcomes["b"].status == RESTORED
    after.write("shop")
    assert output.folder(RECORDS).names() == [] and Report(output).outcomes == after.outcomes


def test_a_record_is_removed_only_after_it_is_in_the_report(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    output.folder(RECORDS).write("a.json", to_record([GOOD]))
    report = Report(output)

    def fail(*_: object) -> bytes:
        raise OSError("disk full")

    monkeypatch.setattr("igr_core.catalogue.report.report._as_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        report.write("shop")
    assert Report(output).outcomes == {"a": GOOD}


def test_files_of_other_programs_are_not_overwritten(output: Output, tmp_path: Path) -> None:
    (tmp_path / "report.parquet").write_bytes(b"not a table")
    with pytest.raises(IGRError, match=r"report\.parquet cannot be read as a report .*: choose another output folder"):
        Report(output)
    (tmp_path / "report.parquet").unlink()
    output.folder(RECORDS).write("a.json", b'[{"name": "a"}]')
    with pytest.raises(IGRError, match=r"a\.json is not from a catalogue run"):
        Report(output)
    output.folder(RECORDS).write("a.json", b"{")
    with pytest.raises(IGRError, match=r"a\.json is damaged"):
        Report(output)


@pytest.mark.parametrize("content", [b"[" * 200_000, b"[" * 100 + b"]" * 100, b"[" + b"1" * 5000 + b"]", b"\xff"])
def test_a_damaged_record_is_named_with_the_remedy(output: Output, content: bytes) -> None:
    output.folder(RECORDS).write("a.json", content)
    with pytest.raises(IGRError, match=r"a\.json is damaged \(its content .*\): remove it; its garments will be"):
        Report(output)


def test_a_cell_that_a_spreadsheet_would_compute_is_shown(output: Output, tmp_path: Path) -> None:
    report = Report(output)
    report.add(Outcome("=1+1", RESTORED, "@photo", seconds=-1.0))
    report.write("shop")
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8-sig") as handle:
        (line,) = csv.DictReader(handle)
    assert (line["name"], line["photo"], line["seconds"]) == ("'=1+1", "'@photo", "-1.0")
    assert set(Report(output).outcomes) == {"=1+1"}


def test_a_report_without_columns_that_were_added_later_is_read() -> None:
    values = {"name": "a", "status": "restored", "photo": "a.jpg"}
    assert Outcome.from_dict(values, "") == Outcome("a", RESTORED, "a.jpg")
    for more in ({"colour": "red"}, {"status": "odd"}):
        with pytest.raises(IGRError, match="is not from a catalogue run"):
            Outcome.from_dict(values | more, "report")


DAMAGED = {
    "evidence": [float("nan"), float("inf"), "much", True, 1],
    "seconds": ["long", float("-inf")],
    "agreement": [[0.5]],
    "photos": [-1, 2**40, 1.5, None, True],
    "category": [None, 3],
    "image": ["../photos/a.png", "photos/a.png", "garments/", "garments/..", "garments/b/../../a.png", "/etc/a.png"],
    "evidence_map": ["evidence/../a.png"],
    "settings": ["{", "[1]", "[" * 100_000],
}


@pytest.mark.parametrize("column", DAMAGED)
def test_a_damaged_report_is_refused_when_it_is_read(output: Output, tmp_path: Path, column: str) -> None:
    """Otherwise the run would end in a traceback, or remove files outside its folder."""
    import pyarrow
    from pyarrow import parquet

    for value in DAMAGED[column]:
        line = dataclasses.asdict(GOOD) | {column: value}
        sentence = rf"is damaged \(the {column} of 'a' is .*\): choose another output folder"
        parquet.write_table(pyarrow.Table.from_pylist([line]), tmp_path / "report.parquet")
        with pytest.raises(IGRError, match=rf"report\.parquet {sentence}"):
            Report(output)
        with pytest.raises(IGRError, match=rf"record {sentence}"):
            Outcome.from_dict(line, "record")


def test_bytes_of_names_that_are_not_utf8_are_escaped(output: Output) -> None:
    report = Report(output)
    report.add(Outcome("row 1", FAILED, "caf\udce9.jpg", error="The file caf\udce9.jpg is odd."))
    report.write("caf\udce9")
    (found,) = Report(output).outcomes.values()
    assert (found.photo, found.error) == ("caf\\xe9.jpg", "The file caf\\xe9.jpg is odd.")
