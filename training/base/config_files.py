"""Configs: YAML files with an optional base file, loaded into frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from igr_core.errors import IGRError
from igr_core.model.config import from_json

T = TypeVar("T")


def load_config(kind: type[T], path: Path | str, changes: Iterable[str] = ()) -> T:
    """Load a YAML file into the config dataclass `kind`; raises IGRError naming the file and the wrong entry.

    A file may name another, beside it, as `base`: it then gives only what differs. Mappings merge entry by entry,
    anything else (lists and null, too) replaces the base's entry. `changes` are entries over the file's, written
    `optimizer.learning_rate=0.0001`.
    """
    data = _merged_yaml(Path(path), ())
    for change in changes:
        data = _merged(data, _change(change))
    return from_json(kind, data, str(path))


def _change(text: str) -> dict[str, Any]:
    """`a.b=value` as nested mappings; the value is YAML."""
    names, equals, value = text.partition("=")
    if not equals or not all(names.split(".")):
        raise IGRError(f"--set {text!r} is not valid: write ENTRY=VALUE, such as optimizer.learning_rate=0.0001.")
    try:
        entry: Any = yaml.safe_load(value)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise IGRError(f"--set {text!r} has a value that is not valid YAML: {str(error).splitlines()[0]}.") from error
    for name in reversed(names.split(".")):
        entry = {name: entry}
    return entry


def _merged_yaml(path: Path, derived: tuple[Path, ...]) -> Any:
    """Entries of a config file merged over those of its base; `derived` are the files that led here."""
    if path.resolve() in derived:
        raise IGRError(f"{path} is its own base through other files: remove one `base` entry.")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IGRError(f"Could not read the config {path} ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise IGRError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(data, dict) or "base" not in data:
        return {} if data is None else data
    base = data.pop("base")
    if not isinstance(base, str):
        raise IGRError(f"{path} has the base {base!r}, which must be the name of a file in the same folder.")
    return _merged(_merged_yaml(path.parent / base, (*derived, path.resolve())), data)


def _merged(base: Any, changes: Any) -> Any:
    """Merge `changes` over `base`: mappings entry by entry, other values as a whole."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    return {**base, **{key: _merged(base.get(key), value) for key, value in changes.items()}}
