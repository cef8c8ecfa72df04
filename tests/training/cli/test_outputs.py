"""Every training command that writes rejects an invalid location immediately, before it reads or computes anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from training.cli.app import app
from training.cli.commands import LazyCommands

WRITES = {"out", "run", "json", "cache", "sheet", "page_image"}
"""Parameters for outputs."""
READS = {("export", "run"), ("evaluate", "curves", "run")}
"""Commands, and their parameters of these names that are inputs."""


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group, with the words that select it."""
    if isinstance(group, LazyCommands):
        for verb in group.verbs:
            yield from commands(verb.load(), (*words, verb.name))
    elif isinstance(group, TyperGroup):
        for name, command in group.commands.items():
            yield from commands(command, (*words, name))
    else:
        yield words, group


def test_every_command_that_writes_checks_the_location_while_its_options_are_parsed() -> None:
    found = [
        (words, parameter)
        for words, command in commands(typer.main.get_command(app))
        for parameter in command.params
        if parameter.name in WRITES and (*words, parameter.name) not in READS
    ]
    assert len(found) > 25
    unchecked = [f"{' '.join(words)}: {one.name}" for words, one in found if one.callback is None]
    assert not unchecked


@pytest.mark.parametrize(
    "command",
    [
        ("data", "draw", "--count", "4", "--out"),
        ("evaluate", "run", "none.yaml", "--out"),
        ("train", "none.yaml", "--run"),
        ("export", "none", "--name", "n", "--data", "d", "--out"),
        ("unpack", "--out"),
        ("demo", "--out"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_file_above_the_output_is_named_immediately(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    place = str(tmp_path / "file" / "out")
    result = CliRunner().invoke(app, [*command, place])
    assert result.exit_code == 1 and "which is a file, but must be a folder" in result.output.replace("\n", " ")
    assert (tmp_path / "file").read_text() == "kept"
