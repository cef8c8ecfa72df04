"""The variables of launchers."""

from __future__ import annotations

import importlib
import re
import uuid
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.processes import Processes, broken_library, check_docstrings, import_failure, launched_processes

LAUNCHED = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_without_a_launcher_there_is_one_process() -> None:
    for environment in ({}, {"RANK": ""}, {"LOCAL_RANK": "-1"}, {"RANK": "0", "WORLD_SIZE": "1"}):
        assert launched_processes(environment) == Processes()


def test_the_process_of_a_launcher() -> None:
    assert launched_processes(LAUNCHED) == Processes(1, 4, 1, True)
    assert launched_processes(LAUNCHED | {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}).launched


@pytest.mark.parametrize("name", LAUNCHED)
def test_an_incomplete_description_is_refused(name: str) -> None:
    with pytest.raises(IGRError, match=rf"no {name}: start several processes with torchrun"):
        launched_processes({one: value for one, value in LAUNCHED.items() if one != name})


@pytest.mark.parametrize(
    "environment", [{"RANK": "1"}, {"LOCAL_RANK": "0"}, {"WORLD_SIZE": "2"}, {"RANK": "1", "WORLD_SIZE": "1"}]
)
def test_a_lone_variable_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(IGRError, match="unset these variables"):
        launched_processes(environment)


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"])
@pytest.mark.parametrize("value", ["abc", "1.5", "-2", "9" * 5000, "²"])
def test_values_that_are_not_numbers_are_refused(name: str, value: str) -> None:
    with pytest.raises(IGRError, match=f"variable {name} is .* not a valid number"):
        launched_processes(LAUNCHED | {name: value})
    with pytest.raises(IGRError, match="RANK=4 is not below WORLD_SIZE=4"):
        launched_processes(LAUNCHED | {"RANK": "4"})


def imported(tmp_path: Path, text: str) -> Exception:
    """The error that importing a module with this text raises."""
    name = f"library_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        with pytest.raises(Exception) as caught:  # noqa: PT011
            importlib.import_module(name)
    return caught.value


READING = """
import os
def number(name):
    return int({"LIBRARY_WAIT": "x"}[name])
%s
"""


@pytest.mark.parametrize(
    "last",
    [
        'raise ValueError("set LIBRARY_WAIT to a number")',
        'wait = number("LIBRARY_WAIT")',
        'environ = "LIBRARY_WAIT"; one = "OTHER"\nwait = number(environ)',
        'try:\n    number("LIBRARY_WAIT")\nexcept ValueError as error:\n    raise RuntimeError("lazy") from error',
    ],
    ids=["the error names it", "the line names it", "the file reads it", "an error in place of another"],
)
def test_a_library_that_a_variable_keeps_from_loading_is_named_with_it(tmp_path: Path, last: str) -> None:
    error = imported(tmp_path, READING % last)
    environment = {"LIBRARY_WAIT": "x", "LIBRARY_WAITING": "y", "PATH": "/bin", "os": "z"}
    found = import_failure(error, environment)
    assert found is not None
    sentence = r"library_\w+ cannot be imported while LIBRARY_WAIT is 'x' in the environment: correct it or unset it\."
    assert re.fullmatch(sentence, str(found))
    assert import_failure(error, {"PATH": "/bin"}) is None  # it is not set


def test_other_errors_are_not_blamed_on_the_environment(tmp_path: Path) -> None:
    environment = {"LIBRARY_WAIT": "x"}
    missing = imported(tmp_path, "LIBRARY_WAIT = 'LIBRARY_WAIT'\nimport nothing_of_this_name")
    assert import_failure(missing, environment) is None
    with pytest.raises(ValueError, match="LIBRARY_WAIT") as caught:
        raise ValueError("LIBRARY_WAIT")
    assert import_failure(caught.value, environment) is None


PREFIXED = """
import os
found = {name: value for name, value in os.environ.items() if name.startswith(__name__.upper() + "_")}
for value in found.values():
    float(value)
"""


def test_a_variable_that_a_library_reads_by_its_prefix_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tqdm reads TQDM_MININTERVAL."""
    (tmp_path / "gauge.py").write_text(PREFIXED + "# environ: PATH\n")
    monkeypatch.syspath_prepend(tmp_path)
    environment = {"GAUGE_WIDTH": "80", "GAUGE_WAIT": "abc", "OTHER": "abc", "PATH": "/bin"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="abc") as caught:
        importlib.import_module("gauge")
    found = import_failure(caught.value, environment)
    assert (
        str(found) == "gauge cannot be imported while GAUGE_WAIT is 'abc' in the environment: correct it or unset it."
    )


READS_ENVIRONMENT = """
import os
environ = ("PATH", "LIBRARY_WAIT", os.environ)
raise %s
"""


def test_variables_of_every_environment_are_not_blamed_unless_they_are_named(tmp_path: Path) -> None:
    error = imported(tmp_path, READS_ENVIRONMENT % 'ValueError("failed")')
    assert import_failure(error, {"PATH": "/bin", "LANG": "C"}) is None
    assert "while LIBRARY_WAIT is 'x' in" in str(import_failure(error, {"PATH": "/bin", "LIBRARY_WAIT": "x"}))
    assert "while PATH is" in str(import_failure(imported(tmp_path, 'raise ValueError("PATH is odd")'), {"PATH": ""}))


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (
            'ImportError("lib.so: failed to map segment from shared object", path="/lib.so")',
            r"library_\w+ cannot be imported \(lib.so: failed to map segment from shared object\): free some memory, "
            r"or raise its limit\.",
        ),
        ("MemoryError", r"library_\w+ cannot be imported \(MemoryError\): free some memory, or raise its limit\."),
        (
            'OSError("libcudart.so.12: cannot open shared object file")',
            r"library_\w+ cannot be imported \(libcudart.so.12: cannot open shared object file\): reinstall it, with "
            r"`make setup` or pip\.",
        ),
        (
            'ModuleNotFoundError("No module named x", name="x.y")',
            r"x, which library_\w+ needs, is not installed: install the package that provides it\.",
        ),
    ],
    ids=["too little memory", "no memory", "a missing file", "a missing package"],
)
def test_a_library_that_cannot_be_loaded_is_named_with_the_reason(tmp_path: Path, raised: str, sentence: str) -> None:
    error = imported(tmp_path, READS_ENVIRONMENT % raised)
    assert import_failure(error, {"PATH": "/bin", "LIBRARY_WAIT": "x"}) is None
    assert re.fullmatch(sentence, str(broken_library(error)))


def test_other_errors_are_not_blamed_on_a_library(tmp_path: Path) -> None:
    assert broken_library(imported(tmp_path, "1 / 0")) is None
    for own in (ImportError("igr_core"), OSError("a file"), ModuleNotFoundError("x", name="igr_core.gone")):
        assert broken_library(own) is None


def test_python_without_docstrings_is_refused() -> None:
    check_docstrings(1)
    with pytest.raises(IGRError, match="runs without docstrings, .*: unset PYTHONOPTIMIZE, and omit the option -OO"):
        check_docstrings(2)
