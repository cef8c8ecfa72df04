"""The environment of this process: its place among those started by a launcher, and the level of logging."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import IGRError
from .ranges import shown

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Variables that torch.distributed needs; every launcher sets all of them."""


@dataclass(frozen=True)
class Processes:
    """The number of processes, and the place of this one among them."""

    rank: int = 0
    """Index of this process; 0 is the main process."""
    count: int = 1
    """Number of processes."""
    local_rank: int = 0
    """Index of this process on its machine."""
    launched: bool = False
    """Whether a launcher started this process."""


def launched_processes(environment: Mapping[str, str] | None = None) -> Processes:
    """This process as a launcher describes it in the environment; the only process if there is no launcher.

    Raises IGRError for values that are not numbers, and for an incomplete description, which would make every process
    behave as the main one.
    """
    found = os.environ if environment is None else environment
    rank, count, local = (_number(found, name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    _number(found, "MASTER_PORT")
    if local is None and not rank and (count is None or count == 1):
        return Processes()
    missing = [name for name in _NEEDED if not found.get(name)]
    if missing or rank is None or count is None or local is None:
        given = ", ".join(f"{name}={found[name]}" for name in _NEEDED if found.get(name))
        raise IGRError(
            f"The environment has {given}, but no {', '.join(missing or _NEEDED[:3])}: start several processes with "
            "torchrun or accelerate launch, or unset these variables."
        )
    if not rank < count:
        raise IGRError(f"RANK={rank} is not below WORLD_SIZE={count}: unset both, or start with torchrun.")
    return Processes(rank, count, local, True)


def check_log_level(environment: Mapping[str, str] | None = None) -> None:
    """Raise IGRError if accelerate, which diffusers imports, could not use the level of logging in the environment."""
    name = "ACCELERATE_LOG_LEVEL"
    level = (os.environ if environment is None else environment).get(name)
    if level is not None and not isinstance(logging.getLevelName(level.upper()), int):
        raise IGRError(f"{name} is {shown(level)} in the environment: set it to INFO or WARNING, or unset it.")


def _number(found: Mapping[str, str], name: str) -> int | None:
    """A variable's number; None if the variable is not set, or is -1, which accelerate treats as not set."""
    text = found.get(name, "").strip()
    if text in ("", "-1"):
        return None
    if not re.fullmatch("[0-9]{1,9}", text) or (name == "WORLD_SIZE" and int(text) == 0):
        raise IGRError(f"The environment variable {name} is {shown(text)}, not a valid number: unset it.")
    return int(text)
