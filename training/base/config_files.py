"""Load YAML configs, which may name a base file, into frozen dataclasses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from igr_core.errors import IGRError
from igr_core.folders import resolved
from igr_core.model.config import from_json
from igr_core.text import decode_text

T = TypeVar("T")
MAX_BYTES = 1_000_000
"""Maximum size of a YAML file in bytes; the configs in this repository are smaller than 2,000 bytes."""
MAX_VALUES = 100_000
"""Maximum number of values in a YAML file, counting every use of an alias."""

_WANTED = {
    "of type int": "a whole number",
    "of type float": "a number",
    "of type str": "text",
}
"""Maps the types named in a config's error messages to the wording used for --set."""


class _Loader(yaml.SafeLoader):
    """YAML loader that accepts the number formats of YAML 1.2 and Python: 2e-5, 1E5, 5., .5, 1_000.

    010 is ten, 1:30 is text, and so are yes, no, on and off, as in YAML 1.2. Aliases may not expand a file to more than
    MAX_VALUES values, a value may not contain itself, and an entry may not be given twice.
    """

    def get_single_node(self) -> yaml.Node | None:
        """Return the document; raises yaml.YAMLError if it contains itself, or is too large once aliases are expanded.

        Also raises yaml.YAMLError if a mapping contains an entry twice.
        """
        node = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node


def _count(node: yaml.Node, counted: dict[yaml.Node, int]) -> int:
    """Number of values in a node, counting each alias as a copy.

    `counted` maps each visited node to its number of values, or to 0 while it is being counted.
    """
    if node in counted:
        if not counted[node]:
            raise yaml.constructor.ConstructorError(None, None, "a value contains itself", node.start_mark)
        return counted[node]
    if isinstance(node, yaml.ScalarNode):
        return 1
    counted[node] = 0
    _check_given_once(node)
    parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    total = 1 + sum(_count(part, counted) for part in parts)
    if total > MAX_VALUES:
        raise yaml.constructor.ConstructorError(None, None, f"more than {MAX_VALUES:,} values", node.start_mark)
    counted[node] = total
    return total


def _check_given_once(node: yaml.Node) -> None:
    """Raise yaml.YAMLError if a mapping contains an entry twice, because YAML would silently use the last value."""
    seen: set[str] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value in seen:
            raise yaml.constructor.ConstructorError(
                "the entries of a mapping", node.start_mark, f"{key.value!r} is given twice", key.start_mark
            )
        seen.add(key.value)


_INT = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _starts in (
    ("int", _INT, "-+.0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("bool", _BOOL, "tTfF"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern.pattern})$"), list(_starts))


def _whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | float:
    """A float, or an int if it is a whole number, such as 1e5 or 10.0, which spreadsheets and scripts write."""
    text = str(loader.construct_scalar(node)).lower()
    value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return int(value) if value.is_integer() else value


def _string(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    """Text; a path that begins with ~/ is in the user's home folder, as in a shell."""
    text = str(loader.construct_scalar(node))
    return os.path.expanduser(text) if text.startswith("~/") else text


_Loader.add_constructor("tag:yaml.org,2002:str", _string)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def read_yaml(text: str) -> Any:
    """Parse YAML with numbers in all common notations; raises yaml.YAMLError like yaml.safe_load."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def load_config(kind: type[T], path: Path | str, changes: Iterable[str] = ()) -> T:
    """Load a YAML file into the config dataclass `kind`; raises IGRError naming the file and the invalid entry.

    A file may name another file in the same folder as its `base`, and then contain only the entries that differ.
    Mappings are merged entry by entry; anything else, including lists and null, replaces the base's entry. `changes`
    override entries of the file, such as `optimizer.learning_rate=0.0001`.
    """
    data, changes = _merged_yaml(Path(path), ()), list(changes)
    for change in changes:
        data = _merged(data, _change(change))
    try:
        return from_json(kind, data, str(path))
    except IGRError as error:
        raise _of_change(error, str(path), changes) from error


def _of_change(error: IGRError, path: str, changes: list[str]) -> IGRError:
    """Reword an error about an entry of the config `path` in terms of the --set option that caused it, if any."""
    text = str(error)
    for change in reversed(changes):
        name = change.partition("=")[0]
        parent, _, last = f"{path}.{name}".rpartition(".")
        unknown = re.fullmatch(rf"{re.escape(parent)} has unknown entries ([^;]+); (.+)", text, re.DOTALL)
        if unknown is not None and last in unknown[1].split(", "):
            return IGRError(f"--set {change!r} is not valid: there is no entry {name}; {unknown[2]}")
        own = re.fullmatch(rf"{re.escape(path)}\.({re.escape(name)}(?!\w).*)", text, re.DOTALL)
        if own is None:
            continue
        wrong = re.fullmatch(r"(.+) is (.+); it must be (.+)\.", own[1], re.DOTALL)
        if wrong is None:
            return IGRError(f"--set {change!r}: {own[1]}")
        wanted = _WANTED.get(wrong[3], wrong[3])
        return IGRError(f"--set {change!r} is not valid: {wrong[1]} must be {wanted}, not {wrong[2]}.")
    return error


def _change(text: str) -> dict[str, Any]:
    """Parse `a.b=value` into nested mappings; the value is YAML."""
    names, equals, value = text.partition("=")
    if not equals or not all(names.split(".")):
        raise IGRError(f"--set {text!r} is not valid: write ENTRY=VALUE, such as optimizer.learning_rate=0.0001.")
    try:
        entry: Any = read_yaml(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number of 5,000 digits raises ValueError
        raise IGRError(f"--set {text!r} has a value that is not valid YAML ({_reason(error)}): correct it.") from error
    for name in reversed(names.split(".")):
        entry = {name: entry}
    return entry


def _merged_yaml(path: Path, derived: tuple[Path, ...]) -> Any:
    """Entries of a config file, merged over those of its base; `derived` lists the files that are based on it."""
    if resolved(path) in derived:
        raise IGRError(f"{path} is based on itself through other files: remove one `base` entry.")
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would wait forever
            raise IGRError(f"{path} is not a file: choose a YAML file.")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise IGRError(f"{path} has more than {MAX_BYTES:,} bytes, too many for a config: choose a YAML file.")
        data = read_yaml(decode_text(content))
    except IGRError:
        raise
    except OSError as error:
        raise IGRError(f"Could not read the config {path} ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise IGRError(f"{path} is not a UTF-8 text file: save it as UTF-8.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number of 5,000 digits raises ValueError
        raise IGRError(f"{path} is not valid YAML ({_reason(error)}): correct the file.") from error
    if not isinstance(data, dict) or "base" not in data:
        return {} if data is None else data
    base = data.pop("base")
    if not isinstance(base, str):
        raise IGRError(f"{path} has the base {base!r}: use the name of a file in the same folder.")
    return _merged(_merged_yaml(path.parent / base, (*derived, resolved(path))), data)


def _reason(error: Exception) -> str:
    """Description of a YAML error, with its line number if it is known."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark is not None:
        return f"{error.problem}, line {error.problem_mark.line + 1}"
    return str(error).splitlines()[0]


def _merged(base: Any, changes: Any) -> Any:
    """Merge `changes` over `base`: mappings entry by entry, other values as a whole."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    return {**base, **{key: _merged(base.get(key), value) for key, value in changes.items()}}
