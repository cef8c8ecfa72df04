"""Node schemas for every supported version of ComfyUI; only this file drops fields that older versions do not know."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from comfy_api.latest import io

from ..igr_core.errors import IGRError
from ..igr_core.model.config import CATEGORIES
from ..igr_core.ranges import Range

CATEGORY = "IGR"
"""Category of the nodes in the Add Node menu."""


def schema(**fields: Any) -> io.Schema:
    """A node's schema, without fields that this version of ComfyUI does not know."""
    return _known(io.Schema, category=CATEGORY, **fields)


def advanced(kind: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    """An optional input with a default, which newer versions of ComfyUI may collapse."""
    return _known(kind, *args, advanced=True, optional=True, **fields)


def check_option(name: str, value: Any, options: Iterable[str]) -> None:
    """Raise IGRError if the value of a list is not one of its options.

    ComfyUI only checks values that are chosen on the node, not those of connected nodes.
    """
    *others, last = options
    if value not in (*others, last):
        raise IGRError(f"{name} is {value!r}: choose {', '.join(others)} or {last}.")


def whole(name: str, value: Any, low: int = 0, high: int = 2**64) -> int:
    """A whole number from a connected node, which may be a float such as 3.0.

    Raises IGRError for anything else, and outside `low` to `high`: ComfyUI only checks values that are typed in.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        raise IGRError(f"{name} is {value!r}: use a whole number from {low} to {high}.")
    Range(low, high).check(value, name)
    return value


def check_text(name: str, value: Any) -> None:
    """Raise IGRError if a connected node has given something other than text, which ComfyUI does not check."""
    if not isinstance(value, str):
        raise IGRError(f"{name} is {value!r}, which is not text: connect a node that outputs text, or disconnect it.")


def garment_category() -> Any:
    """The input for the category of the garment."""
    return io.Combo.Input(
        "category",
        options=list(CATEGORIES),
        tooltip="Kind of garment under the mask: upper (shirts, jackets), lower (trousers, skirts) or full (dresses, "
        "jumpsuits).",
    )


def garment_category_output(**fields: Any) -> Any:
    """An output that can be connected to the category input.

    Combo.Output is not used, because in ComfyUI v0.3.64 its type is its list of options, which matches no input.
    """
    return io.Custom("COMBO").Output(**fields)


def _known(kind: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    names = inspect.signature(kind).parameters
    return kind(*args, **{name: value for name, value in fields.items() if name in names})
