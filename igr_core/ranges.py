"""Ranges of the numbers in configs, declared with each field and checked whenever a config is created or read."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from reprlib import Repr
from typing import Annotated, Any

from .errors import IGRError

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60
_UNIONS = (typing.Union, types.UnionType)


@dataclass(frozen=True)
class Range:
    """The permitted values of a number; NaN is never permitted."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    above: bool = False
    """Whether `low` itself is excluded."""

    def check(self, value: Any, where: str) -> None:
        """Raise IGRError naming `where` if the value is not a number, or outside the range."""
        if (
            not isinstance(value, (int, float))
            or not self.low <= value <= self.high
            or (self.above and value == self.low)
        ):
            low = f"above {_plain(self.low)} and at most" if self.above else f"from {_plain(self.low)} to"
            raise IGRError(f"{where} is {shown(value)}: use a number {low} {_plain(self.high)}.")


@dataclass(frozen=True)
class Length:
    """Permitted number of entries in a list."""

    low: int
    """Minimum number of entries."""
    high: int
    """Maximum number of entries."""

    def check(self, value: Any, where: str) -> None:
        """Raise IGRError naming `where` if the list is too short or too long."""
        if not self.low <= len(value) <= self.high:
            wanted = str(self.low) if self.low == self.high else f"{self.low} to {self.high}"
            raise IGRError(f"{where} has {len(value)} entries: it must have {wanted}.")


Seed = Annotated[int, Range(0, 2**63 - 1)]
"""A random seed. Torch accepts seeds up to 2^64 - 1, so a batch can add the index of each image."""
Share = Annotated[float, Range(0, 1)]
"""A fraction or a probability."""
Positive = Annotated[float, Range(0, 1e6, above=True)]
"""A factor above 0."""
Weight = Annotated[float, Range(0, 1e6)]
"""A weight; 0 disables the weighted term."""
Count = Annotated[int, Range(1, 10**9)]
"""A count of at least 1."""
CountOrNone = Annotated[int, Range(0, 10**9)]
"""A count, which may be 0."""
Steps = Annotated[int, Range(1, 10_000)]
"""Denoising steps."""
Guidance = Annotated[float, Range(0, 100)]
"""A classifier-free guidance scale."""
Strength = Annotated[float, Range(0, 10)]
"""Strength of a condition; 0 disables it."""


class Ranged:
    """Base of config dataclasses; creating an instance checks every field annotated with a Range or a Length."""

    def __post_init__(self) -> None:
        """Raise IGRError naming the first field that is out of its range."""
        for name, kind in _kinds(type(self)).items():
            check_ranges(kind, getattr(self, name), name)


def check_ranges(kind: Any, value: Any, where: str) -> None:
    """Check a value against the ranges in its type hint; raises IGRError naming the entry."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        for limit in parts[1:]:
            if isinstance(limit, (Range, Length)):
                limit.check(value, where)
        check_ranges(parts[0], value, where)
    elif origin in _UNIONS:
        for part in parts if value is not None else ():
            if _holds(part, value):
                check_ranges(part, value, where)
    elif origin is tuple:
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        for number, (part, item) in enumerate(zip(kinds, value, strict=True)):
            check_ranges(part, item, f"{where}[{number}]")
    elif origin is dict:
        for key, item in value.items():
            check_ranges(parts[1], item, f"{where}.{key}")


def shown(value: Any) -> str:
    """A value formatted for an error message, shortened if it is long."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return "a number with thousands of digits"


def _holds(kind: Any, value: Any) -> bool:
    plain = typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind
    plain = typing.get_origin(plain) or plain
    if plain is float:
        return isinstance(value, (int, float))
    if plain in (tuple, dict):
        return isinstance(value, (tuple, list) if plain is tuple else Mapping)
    return isinstance(plain, type) and isinstance(value, plain)


@cache
def _kinds(config: type) -> dict[str, Any]:
    return typing.get_type_hints(config, include_extras=True)


def _plain(limit: float) -> str:
    if limit == 2**63 - 1:
        return "2^63 - 1"
    if isinstance(limit, int) or (math.isfinite(limit) and limit.is_integer()):
        return f"{int(limit):,}"
    short = f"{limit:g}"
    return short if float(short) == limit else repr(limit)  # 0.9999999 must not be shown as 1
