"""Atomic writes of small text files."""

from __future__ import annotations

from pathlib import Path

from igr_core.files import atomic_file


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
