"""Short hashes of what code says, to tell whether two data sets were made by the same generator."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def hash_of(folder: Path, paths: Iterable[Path]) -> str:
    """Hash of files within a folder: of modules what they do, of others their bytes.

    Layout, comments and docstrings of code do not count.
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
    """A module's syntax tree as text, without docstrings, and alike on every version of Python."""
    return _node_text(ast.parse(source))


def _node_text(node: Any) -> str:
    if isinstance(node, list):
        return f"[{','.join(map(_node_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    documented = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
    if documented and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    # newer Pythons add fields, which are empty for older code
    said = (f"{name}={_node_text(value)}" for name, value in fields.items() if value not in (None, []))
    return f"{type(node).__name__}({','.join(said)})"
