"""Readable checkpoints whose content was not written by a run count as damaged, and the previous one is used."""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from igr_core.errors import IGRError
from training.base.run.checkpoints import DamagedError, load_latest, save_checkpoint
from training.base.run.run_folder import RunFolder


def two(folder: Path) -> tuple[RunFolder, Path]:
    """A run with checkpoints of steps 1 and 2, and the path of the second one."""
    run = RunFolder(folder)
    save_checkpoint(run, 1, {"x": torch.ones(3)})
    return run, save_checkpoint(run, 2, {"x": torch.ones(3), "average": {"w": torch.ones(2)}, "recent": [[0.5]]})


def latest_step(run: RunFolder) -> int:
    found = load_latest(run)
    assert found is not None
    return found.step


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "negative step": lambda saved: saved.update(step=-5),
    "another step": lambda saved: saved.update(step=99),
    "step in text": lambda saved: saved.update(step="6"),
    "no state": lambda saved: saved.pop("state"),
    "state is a list": lambda saved: saved.update(state=[]),
    "empty random state": lambda saved: saved.update(random={}),
    "random state of another length": lambda saved: saved["random"].update(torch=torch.zeros(3, dtype=torch.uint8)),
    "NaN in the average": lambda saved: saved["state"]["average"]["w"].fill_(torch.nan),
    "infinite weight": lambda saved: saved["state"]["x"].fill_(torch.inf),
    "NaN among the losses": lambda saved: saved["state"].update(recent=[[float("nan")]]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_readable_checkpoint_with_wrong_content_is_skipped(tmp_path: Path, name: str) -> None:
    run, newest = two(tmp_path)
    saved = torch.load(newest, weights_only=True)
    CHANGES[name](saved)
    torch.save(saved, newest)
    assert latest_step(run) == 1
    save_checkpoint(run, 3, {})
    assert {path.name for path in run.checkpoints.iterdir()} == {
        "step-000000001.pt",
        "step-000000002.pt.damaged",
        "step-000000003.pt",
    }


def test_a_checkpoint_without_entries_is_skipped(tmp_path: Path) -> None:
    run, newest = two(tmp_path)
    torch.save([1, 2], newest)
    assert latest_step(run) == 1


def test_a_state_that_the_caller_rejects_is_skipped(tmp_path: Path) -> None:
    def check(state: dict[str, Any]) -> None:
        if "average" in state:
            raise DamagedError("not this one")

    run, _ = two(tmp_path)
    found = load_latest(run, check=check)
    assert found is not None and found.step == 1


@pytest.mark.parametrize("kind", ["folder", "symlink loop", "broken link", "pipe"])
def test_a_checkpoint_that_is_not_a_file_is_set_aside(tmp_path: Path, kind: str) -> None:
    run, newest = two(tmp_path)
    newest.unlink()
    if kind == "folder":
        newest.mkdir()
        (newest / "inside").touch()
    elif kind == "pipe":
        os.mkfifo(newest)
    else:
        os.symlink(newest.name if kind == "symlink loop" else "nowhere", newest)
    assert latest_step(run) == 1
    save_checkpoint(run, 2, {})
    save_checkpoint(run, 3, {}, keep=1)
    assert newest.with_name("step-000000003.pt").is_file() and latest_step(run) == 3
    if kind == "folder":
        assert (run.checkpoints / "step-000000002.pt.damaged" / "inside").is_file()


def test_an_older_folder_among_the_checkpoints_is_set_aside(tmp_path: Path) -> None:
    run, _ = two(tmp_path)
    (run.checkpoints / "step-000000000.pt").mkdir()
    save_checkpoint(run, 3, {}, keep=1)
    assert {path.name for path in run.checkpoints.iterdir()} == {"step-000000000.pt.damaged", "step-000000003.pt"}


@pytest.mark.parametrize("name", ["step-²³.pt", "step-٣.pt", "step-.pt", "step-1e3.pt", f"step-{'9' * 50}.pt"])
def test_files_with_other_names_are_ignored(tmp_path: Path, name: str) -> None:
    run, _ = two(tmp_path)
    (run.checkpoints / name).write_bytes(b"x")
    assert latest_step(run) == 2


def test_names_inside_a_damaged_checkpoint_are_escaped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run, newest = two(tmp_path)
    with zipfile.ZipFile(newest, "w") as archive:
        archive.writestr("a\x1b[31mEVIL\nb/data.pkl", "hello world")
    content = newest.read_bytes()
    newest.write_bytes(content.replace(b"hello", b"jello", 1))
    with caplog.at_level(logging.WARNING):
        assert latest_step(run) == 1
    (record,) = caplog.records
    assert r"\x1b[31mEVIL\nb" in record.getMessage() and record.getMessage().isprintable()


def test_wrong_content_in_every_checkpoint_is_reported_in_one_sentence(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    path = save_checkpoint(run, 1, {})
    torch.save({"step": 1, "state": {}, "random": {}}, path)
    with pytest.raises(IGRError, match="All checkpoints .* are damaged"):
        load_latest(run)
    assert path.is_file()
