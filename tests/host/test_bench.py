"""The bench measures every documented row; no time is asserted."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from tests.bench.run import END, PEAKS, START, TIMES, fill_markers
from tests.support.host.server import ROOT, find_host

PAGE = f"before\n{START}\nold\n{END}\nafter\n"


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.run", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_tiny_bench_fills_every_row(tmp_path: Path) -> None:
    found = find_host()
    if isinstance(found, str):
        pytest.skip(f"HOST TESTS NOT RUN: {found}")
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    done = bench("--tiny", "--steps", "2", "--rounds", "1", "--into", str(page))
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if "×" in line and line.startswith("|")]
    assert len(rows) == len(TIMES) + len(PEAKS) + 3  # and the rows for the click, loading and GarmNet's weights
    numbers = [float(number) for row in rows for number in re.findall(r"([^ |]+)×", row)]
    assert len(numbers) >= len(rows) and all(math.isfinite(number) and number > 0 for number in numbers)
    assert page.read_text(encoding="utf-8") == PAGE.replace("old", done.stdout.strip())
    assert str(ROOT) not in done.stdout and str(found[0]) not in done.stdout


def test_without_a_host_it_says_how_to_name_one(tmp_path: Path) -> None:
    done = bench("--tiny", COMFYUI_PATH=str(tmp_path))
    assert done.returncode == 1 and not done.stdout
    assert "set COMFYUI_PATH" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("page", ["", START, f"{END}{START}", PAGE + PAGE])
def test_a_page_without_the_markers_stays_as_it_was(tmp_path: Path, page: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(page, encoding="utf-8")
    with pytest.raises(IGRError, match="each once"):
        fill_markers(path, "new")
    assert path.read_text(encoding="utf-8") == page
