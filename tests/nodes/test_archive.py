"""The archive for ComfyUI's registry contains everything that the nodes need, and little else."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INCLUDED = "igr_core/included/"
LARGEST = 5_000_000
"""Maximum size in bytes of everything except the included models."""


def listed(*options: str) -> set[str]:
    command = ["git", "ls-files", "-z", *options]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name for name in names if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def archive() -> set[str]:
    """Names of the files in the archive; .comfyignore has the syntax of .gitignore."""
    return listed() - listed("--cached", "--ignored", "--exclude-from=.comfyignore")


def test_the_archive_contains_everything_that_the_pack_needs(archive: set[str]) -> None:
    rooms = ("__init__.py", "igr_core/", "nodes/", "web/", "workflows/", "subgraphs/")
    assert {name for name in listed() if name.startswith(rooms)} <= archive
    assert {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "requirements.txt"} <= archive


def test_the_archive_leaves_out_development(archive: set[str]) -> None:
    assert not {name for name in archive if name.startswith(("tests/", "training/", ".ci/"))}
    others = [name for name in archive if not name.startswith(INCLUDED)]
    assert sum((ROOT / name).stat().st_size for name in others) < LARGEST


def test_the_archive_does_not_import_excluded_files(archive: set[str]) -> None:
    for name in archive:
        if name.endswith(".py"):
            for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
                roots = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                roots += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {one.split(".")[0] for one in roots} & {"training", "tests"}, name
