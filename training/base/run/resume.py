"""Check that a run is resumed with the same config."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from igr_core.errors import IGRError


def check_same_run(before: Any, now: Any, free: Collection[str], where: str) -> None:
    """Raise IGRError naming the first entry in which two JSON configs differ, except those in `free`.

    `before` is the config that the run in `where` was trained with, `now` the config to resume with.
    """
    old, new = dict(flat(before)), dict(flat(now))
    for name in sorted(old.keys() | new.keys()):
        if _is_free(name, free) or old.get(name) == new.get(name):
            continue
        if not any(name == one or name.startswith(f"{one}.") or one.startswith(f"{name}.") for one in old):
            raise IGRError(
                f"{where} was started before {name} existed, so its steps would change: finish it with the version "
                "that started it, or choose another --run folder."
            )
        raise IGRError(
            f"{where} was trained with {name} = {old.get(name)!r}, but the config has {new.get(name)!r}: change it "
            "back, or choose another --run folder."
        )


def is_lowered(before: float | None, now: float | None) -> bool:
    """Whether a learning rate was lowered, which is allowed as a remedy for a loss that is not finite."""
    return before is not None and now is not None and 0 < now < before


def _is_free(name: str, free: Collection[str]) -> bool:
    """Whether an entry, or a mapping that contains it, may differ."""
    return any(name == one or name.startswith(f"{one}.") for one in free)


def flat(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Entries of nested mappings by dotted names; tuples become lists, as in JSON."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, json.loads(json.dumps(data))
