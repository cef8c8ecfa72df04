"""Short hashes of code, to check whether two data sets were made by the same generator."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def hash_of(folder: Path, paths: Iterable[Path]) -> str:
    """Hash files in a folder: the code of Python modules, the bytes of other files.

    Formatting, comments, docstrings (including those of fields and constants) and error messages are ignored.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".py":
            digest.update(f"{name} {code_text(path.read_text(encoding='utf-8'))}\n".encode())
        else:
            digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def code_text(source: str) -> str:
    """A module's syntax tree as text, without docstrings and error messages, identical in every Python version."""
    return _node_text(ast.parse(source))


def _node_text(node: Any) -> str:
    if isinstance(node, list):
        return f"[{','.join(_node_text(one) for one in node if not _is_comment(one))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Raise):  # a reworded error must not invalidate data sets that take hours to make
        return f"Raise({_node_text(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)})"
    fields = dict(ast.iter_fields(node))
    # newer versions of Python add fields, but these are empty for older code
    said = (f"{name}={_node_text(value)}" for name, value in fields.items() if value not in (None, []))
    return f"{type(node).__name__}({','.join(said)})"


def _is_comment(node: Any) -> bool:
    """Whether a statement is only a string, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
