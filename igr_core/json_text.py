"""Parse untrusted JSON, whose nesting is limited so that later code cannot overflow the stack."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from .errors import IGRError

MAX_DEPTH = 64
"""Maximum nesting depth of lists and mappings."""
MAX_BYTES = 8_000_000
"""Maximum size of a JSON file in bytes; the weight indexes of the largest published models are smaller than 1 MB."""


def parse_json(text: str | bytes, what: str, remedy: str) -> Any:
    """Parse JSON; raises an IGRError that names `what` and ends in `remedy` if it is invalid or nested too deeply."""
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise IGRError(f"{what} is nested too deeply: {remedy}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise IGRError(f"{what} is not valid JSON ({error}): {remedy}.") from error
    except ValueError as error:  # Python limits the number of digits
        raise IGRError(f"{what} contains a number with thousands of digits: {remedy}.") from error
    if not _is_shallow(data):
        raise IGRError(f"{what} is nested more than {MAX_DEPTH} levels deep: {remedy}.")
    return data


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON file that contains an object; raises IGRError naming the file if it is missing or invalid."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would wait forever
            raise IGRError(f"{path} is not a file: {remedy}.")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise IGRError(f"{path} is {size:,} bytes, more than the {MAX_BYTES:,} supported: {remedy}.")
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise IGRError(f"{path} does not exist: {remedy}.") from error
    except OSError as error:
        raise IGRError(f"{path} cannot be read ({error.strerror or error}): {remedy}.") from error
    data = parse_json(text, str(path), remedy)
    if not isinstance(data, dict):
        raise IGRError(f"{path} is not a JSON object: {remedy}.")
    return data


def without_nan(data: Any) -> Any:
    """A copy with None in place of NaN and infinite numbers, which other programs write although JSON lacks them."""
    if isinstance(data, dict):
        return {name: without_nan(value) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [without_nan(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _is_shallow(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [item for one in level for item in _items(one)]
        if not level:
            return True
    return False


def _items(data: Any) -> list[Any]:
    items = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [item for item in items if isinstance(item, (dict, list))]
