"""Notes of a run: each takes one line, whatever was typed, and damaged lines do not prevent reading."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from training.base.provenance import (
    curve,
    describe_run,
    last_values,
    note_data,
    note_start,
    noted_commands,
    noted_data,
    noted_revisions,
)

RECORD = {"round": 0, "entries": [{"name": "a", "pairs": 2, "content": "x"}]}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("train --run 'r\n9 evil\x1b[31m'", r"train --run 'r\n9 evil\x1b[31m'"),
        ("train --set 'drop={everything: 0.1,\r\n\timage: 0}'", r"train --set 'drop={everything: 0.1,\r\n\timage: 0}'"),
        ("train --run r\udce9", r"train --run r\xe9"),
        ("train --run a\u2028b\x85c\x0b", r"train --run a\u2028b\x85c\x0b"),
        ("train --run é", "train --run é"),
    ],
)
def test_a_command_is_noted_in_one_escaped_line(tmp_path: Path, typed: str, kept: str) -> None:
    note_start(tmp_path, 0, "first")
    note_start(tmp_path, 5, typed)
    assert noted_commands(tmp_path) == [(0, "first"), (5, kept)]
    assert len((tmp_path / "commands.txt").read_text(encoding="utf-8").split("\n")) == 3


def test_a_run_folder_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"r\xe9")
    folder.mkdir()
    note_start(folder, 0, f"train --run {folder}")
    assert noted_commands(folder)[0][1].endswith(r"r\xe9")


def test_damaged_notes_are_skipped_and_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "commands.txt").write_bytes(
        b"garbage\n\n0 caf\xe9\n\xff\xfe\x00\n" + b"9" * 50 + b" x\n\xc2\xb2 y\n3 cut"
    )
    (tmp_path / "revisions.txt").write_bytes(b"0 caf\xe9\n")
    assert noted_commands(tmp_path) == [(0, r"caf\xe9"), (3, "cut")]
    with caplog.at_level(logging.WARNING):
        note_start(tmp_path, 5, "next")
    assert "commands.txt: 4 damaged lines were removed" in caplog.text and "revisions" not in caplog.text
    assert (tmp_path / "commands.txt").read_text() == "0 caf\\xe9\n3 cut\n5 next\n"
    assert noted_revisions(tmp_path)[0] == (0, r"caf\xe9")


def test_the_data_of_a_run_is_noted_by_step(tmp_path: Path) -> None:
    assert noted_data(tmp_path) == []
    for step in (0, 7, 4):
        note_data(tmp_path, step, RECORD)
    assert [one["from_step"] for one in noted_data(tmp_path)] == [0, 4]


@pytest.mark.parametrize(
    "content",
    [b"{damaged", b"[" * 200_000, b"\xff", b"{}", b'[{"x": 1}]', b'[{"from_step": "1", "entries": []}]', b"[3]"],
)
def test_damaged_notes_of_the_data_are_reported_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.json").write_bytes(content)
    with pytest.raises(IGRError, match=r"data\.json is n.*: restore a copy, or delete it"):
        noted_data(tmp_path)
    (tmp_path / "data.json").unlink()
    (tmp_path / "data.json").mkdir()
    with pytest.raises(IGRError, match=r"data\.json cannot be read \(Is a directory\)"):
        noted_data(tmp_path)


def test_a_damaged_parent_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "parent.json").write_bytes(b"{damaged")
    with pytest.raises(IGRError, match=r"parent\.json is not valid JSON .*: restore a copy, or delete it"):
        describe_run(tmp_path, {}, 1)


def test_a_run_that_logged_nothing_finite_can_be_described(tmp_path: Path) -> None:
    assert describe_run(tmp_path, {}, 1)["loss_curve"] == []
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("step,metric,value\n1,loss,0.5\n2,loss,1e99999\n3,loss,inf\n4,loss,nan\n5,loss,-inf\n")
    assert curve(metrics, "loss") == [(1, 0.5)] and last_values(metrics, "loss") == {"loss": 0.5}
    json.dumps(describe_run(tmp_path, {}, 1), allow_nan=False)
