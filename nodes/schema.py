"""Schemas that every supported host understands: fields that an older host lacks are left out here, and only here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

from ..igr_core.model.config import CATEGORIES

CATEGORY = "IGR"
"""Where the nodes stand in the Add Node menu."""


def schema(**fields: Any) -> io.Schema:
    """A node's schema, without the fields that this host does not know."""
    return _known(io.Schema, category=CATEGORY, **fields)


def advanced(kind: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    """An input with a default that a graph may leave out, and that the host folds away where it can."""
    return _known(kind, *args, advanced=True, optional=True, **fields)


def garment_category() -> Any:
    """The input that says which kind of garment is meant."""
    return io.Combo.Input(
        "category",
        options=list(CATEGORIES),
        tooltip="Kind of garment under the mask: upper (shirts, jackets), lower (trousers, skirts) or full (dresses, "
        "jumpsuits).",
    )


def garment_category_output(**fields: Any) -> Any:
    """An output that fits the category input.

    Not Combo.Output: v0.3.64 takes its list of options for its type, which then fits no input.
    """
    return io.Custom("COMBO").Output(**fields)


def _known(kind: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    names = inspect.signature(kind).parameters
    return kind(*args, **{name: value for name, value in fields.items() if name in names})
