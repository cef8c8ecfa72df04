"""Check that the state in a checkpoint is complete, beyond its checksums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from igr_core.errors import IGRError
from igr_core.json_text import parse_json

from .checkpoints import DamagedError


def json_entry(state: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Parse an entry of JSON text into a mapping; raises DamagedError if it is missing or is not a mapping."""
    text = state.get(name)
    if not isinstance(text, str):
        raise DamagedError(f"it has no {name}")
    try:
        data = parse_json(text, f"its {name}", "use another checkpoint")
    except IGRError as error:
        raise DamagedError(f"its {name} is not valid JSON") from error
    if not isinstance(data, dict):
        raise DamagedError(f"its {name} is not a mapping")
    return data


def check_kind(data: Mapping[str, Any], name: str, kind: type | tuple[type, ...], where: str = "it") -> None:
    """Raise DamagedError unless the entry `name` has the type `kind`; bool does not count as int."""
    value = data.get(name)
    if name not in data or not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise DamagedError(f"{where} has no valid {name}")


def check_tensors(found: Any, wanted: Mapping[str, Tensor], what: str) -> None:
    """Raise DamagedError unless `found` has all tensors of `wanted`, in the same shapes; `what` names `found`."""
    if not isinstance(found, Mapping):
        raise DamagedError(f"it has no {what}")
    for name, tensor in wanted.items():
        value = found.get(name)
        if not isinstance(value, Tensor):
            raise DamagedError(f"its {what} lacks {name}")
        if value.shape != tensor.shape:
            shapes = f"{tuple(value.shape)} instead of {tuple(tensor.shape)}"
            raise DamagedError(f"its {what} has {name} in shape {shapes}")


def check_training(state: Mapping[str, Any], model: str, weights: Mapping[str, Tensor], average: set[str]) -> None:
    """Raise DamagedError unless a state has a model's weights, their average and the optimiser.

    `model` is the entry that contains the weights, `weights` their names and shapes, `average` the averaged names.
    """
    check_tensors(state.get(model), weights, model)
    if foreign := [str(name) for name in state[model] if name not in weights]:
        raise DamagedError(f"its {model} has an unknown entry {foreign[0]}")
    check_kind(state, "average", dict)
    check_kind(state["average"], "steps", int, "its average")
    check_tensors(state["average"].get("weights"), {name: weights[name] for name in average}, "average")
    if "shares" not in state:
        check_kind(state, "optimizer", dict)
