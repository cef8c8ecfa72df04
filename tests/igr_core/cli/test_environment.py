"""Variables of the environment that keep libraries from loading."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_kit import write_pair

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TORCH_LOGS", "foo"),
        ("ACCELERATE_LOG_LEVEL", "loud"),
        ("ACCELERATE_ENABLE_RICH", "x"),
        ("USE_TORCH", "0"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "x"),
        ("TQDM_MININTERVAL", "abc"),
    ],
)
def test_a_variable_that_a_library_cannot_use_is_named(tmp_path: Path, bundle: Path, name: str, value: str) -> None:
    photo, mask = write_pair(tmp_path, "anna.png")
    words = ("restore", photo, "--mask", mask, "--category", "upper", "--out", tmp_path / "o.png", "--bundle", bundle)
    result = subprocess.run(
        [sys.executable, "-m", "igr_core", *map(str, words), "--steps", "1", "--device", "cpu"],
        cwd=ROOT,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ") and line.endswith(": correct it or unset it.")
    assert f"cannot be imported while {name} is {value!r} in the environment" in line


@pytest.mark.parametrize("words", [("igr_core", "inspect"), ("training", "unpack")], ids=" ".join)
def test_python_without_docstrings_is_named_in_one_sentence(words: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONOPTIMIZE": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = result.stderr.splitlines()
    assert result.returncode == 1 and line.startswith("Error: Python runs without docstrings"), result.stderr
