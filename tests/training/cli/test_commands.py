"""The command line of training: help, imports, and mistakes."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from igr_core.errors import IGRError, UsageError
from training.cli.app import DataVerbs, EvaluateVerbs, Verbs, app
from training.cli.commands import LazyCommands, Verb

ROOT = Path(__file__).parents[3]
GROUPS: list[tuple[tuple[str, ...], type[LazyCommands]]] = [
    ((), Verbs),
    (("data",), DataVerbs),
    (("evaluate",), EvaluateVerbs),
]
EVERY = [(verb, words) for words, group in GROUPS for verb in group.verbs]


@pytest.mark.parametrize(("verb", "before"), EVERY, ids=lambda found: getattr(found, "name", ""))
def test_every_verb_has_help(verb: Verb, before: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*before, verb.name, "--help"], catch_exceptions=False)
    assert done.exit_code == 0 and verb.name in done.output and "completion" not in done.output


@pytest.mark.parametrize(("words", "group"), GROUPS, ids=["training", "data", "evaluate"])
def test_help_lists_every_verb_under_its_heading(words: tuple[str, ...], group: type[LazyCommands]) -> None:
    listed = CliRunner().invoke(app, [*words, "--help"], catch_exceptions=False).output
    for verb in group.verbs:
        assert f" {verb.name} " in listed and verb.panel in listed


def test_no_help_imports_a_heavy_library() -> None:
    words = [list(words) for words, _ in GROUPS] + [[*words, verb.name] for verb, words in EVERY]
    script = f"""
import sys
from typer.testing import CliRunner
from training.cli.app import app
for words in {words!r}:
    done = CliRunner().invoke(app, [*words, "--help"])
    loaded = {{"torch", "diffusers", "transformers", "scipy", "mitsuba"}} & set(sys.modules)
    if done.exit_code or loaded:
        sys.exit(f"{{words}}: {{done.exception}}, loaded {{sorted(loaded)}}")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_starts_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "training", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "python -m training" in done.stdout


def test_a_lack_of_memory_is_reported_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory\nbytes")

    monkeypatch.setattr("training.cli.train.load_config", fails)
    done = CliRunner().invoke(app, ["bench"])
    assert done.exit_code == 1
    assert done.stderr == "Error: Out of memory: use smaller batches or images, or fewer workers.\n"


@pytest.mark.parametrize(("error", "code"), [(IGRError, 1), (UsageError, 2)])
def test_a_mistake_is_reported_in_one_sentence(
    error: type[IGRError], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error("that is wrong: do this")

    monkeypatch.setattr("training.results.reported.reported", fail)
    done = CliRunner().invoke(app, ["evaluate", "results"])
    assert (done.exit_code, done.stderr) == (code, "Error: that is wrong: do this\n")


def test_a_disk_that_fails_is_not_blamed_on_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")  # without a file name, like an error from reading an open file

    monkeypatch.setattr("training.results.reported.reported", fail)
    done = CliRunner().invoke(app, ["evaluate", "results"])
    assert done.exit_code == 1
    assert done.stderr == "Error: A file cannot be used (Input/output error): check the disk and its free space.\n"
