"""Short hashes of what code says, to tell whether two data sets were made by the same generator."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def hash_of(folder: Path, paths: Iterable[Path]) -> str:
    """Hash of files within a folder: of modules what they do, of others their bytes.

    Layout, comments and docstrings, those of fields and constants too, do not count.
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
    """A module's syntax tree as text, without docstrings of any kind, and alike on every version of Python."""
    return _node_text(ast.parse(source))


def _node_text(node: Any) -> str:
    if isinstance(node, list):
        return f"[{','.join(_node_text(one) for one in node if not _is_comment(one))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    # newer Pythons add fields, which are empty for older code
    said = (f"{name}={_node_text(value)}" for name, value in fields.items() if value not in (None, []))
    return f"{type(node).__name__}({','.join(said)})"


def _is_comment(node: Any) -> bool:
    """Whether it is a statement of a string alone: the docstring of what is above it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
