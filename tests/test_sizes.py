"""Limits that keep the code readable: files per folder, lines per file, lines per function."""

import ast
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES_IN_A_FOLDER = 12
LINES_IN_A_FILE = 400
LINES_IN_A_FUNCTION = 60
CODE = (".py", ".js", ".mjs")
BOUND_BY_THE_HOST = {
    "web/docs": "one help page a node, found by the node's name",
    "web/docs/img": "pictures of those pages",
    "workflows": "templates, each with its thumbnail beside it",
}
"""Folders whose structure ComfyUI determines, and their contents."""
DOCS = "docs"
"""Contains one page per topic, with its figures."""


@cache
def files() -> tuple[Path, ...]:
    """The files that git tracks, by their path from the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def test_folders_contain_at_most_a_dozen_files() -> None:
    beside = {"__init__.py", "conftest.py"}
    sizes = Counter(path.parent.as_posix() for path in files() if path.name not in beside)
    free = {*BOUND_BY_THE_HOST, DOCS}
    assert not {folder: count for folder, count in sizes.items() if count > FILES_IN_A_FOLDER and folder not in free}
    assert free <= set(sizes), "a named exception is gone"


def test_files_of_code_are_short() -> None:
    lines = {path.as_posix(): len(text(path).splitlines()) for path in files() if path.suffix in CODE}
    assert not {name: count for name, count in lines.items() if count > LINES_IN_A_FILE}


def test_functions_are_short() -> None:
    """A node's schema may be longer: it is a list of inputs, each with its tooltip."""
    long = {
        f"{path.as_posix()}: {node.name}": length
        for path in files()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name != "define_schema"
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_IN_A_FUNCTION
    }
    assert not long


def text(path: Path) -> str:
    """Text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")
