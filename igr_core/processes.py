"""The environment of this process: its rank among the processes of a launcher, and variables that break imports."""

from __future__ import annotations

import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType

from .errors import IGRError
from .ranges import shown

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Variables that torch.distributed needs; every launcher sets all of them."""
_ORDINARY = set(
    "PATH HOME USER LOGNAME USERNAME USERPROFILE SHELL PWD OLDPWD LANG LANGUAGE TERM COLORTERM TMPDIR TEMP HOSTNAME "
    "DISPLAY EDITOR PAGER SHLVL MAIL SYSTEMROOT WINDIR COMSPEC APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES PATHEXT "
    "VIRTUAL_ENV CONDA_PREFIX PYTHONPATH".split()
)
"""Variables, in upper case, that many environments have, and that are blamed only where they are named themselves."""
_OUT_OF_MEMORY = re.compile("map segment|allocate memory|out of memory|not enough memory|paging file", re.IGNORECASE)
"""Part of the system's messages about a library for which there is too little memory."""

_OWN = (__name__.partition(".")[0], "training", "__main__")
"""Packages of this project."""


@dataclass(frozen=True)
class Processes:
    """The number of processes in a run, and the rank of this process."""

    rank: int = 0
    """Index of this process; 0 is the main process."""
    count: int = 1
    """Number of processes."""
    local_rank: int = 0
    """Index of this process on its machine."""
    launched: bool = False
    """Whether a launcher started this process."""


def launched_processes(environment: Mapping[str, str] | None = None) -> Processes:
    """The processes that a launcher describes in the environment; a single process if there is no launcher.

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


def check_docstrings(optimize: int = sys.flags.optimize) -> None:
    """Raise IGRError if Python runs without docstrings, which transformers needs; `optimize` is the level of -O."""
    if optimize >= 2:
        raise IGRError(
            "Python runs without docstrings, which transformers needs: unset PYTHONOPTIMIZE, and omit the option -OO."
        )


def import_failure(error: BaseException, environment: Mapping[str, str] | None = None) -> IGRError | None:
    """An IGRError for an error that an environment variable caused while a library was being imported.

    The variable is one that is named in the error message or in the line that raised the error, or an unusual one that
    the file with this line reads. Returns None if there is no such variable, if the error was not raised during an
    import, or if a file of the library is missing or cannot be loaded.
    """
    found = os.environ if environment is None else environment
    causes = list(_causes(error))
    frames = [frame for one in causes for frame in _importing(one)]
    modules = [frame for frame in frames if frame.f_code.co_name == "<module>"]
    if not modules or isinstance(causes[-1], ModuleNotFoundError):
        return None
    named = (
        _named([str(error), *map(_line, reversed(frames))], found)
        or _of_packages(causes, frames, found)
        or ([] if _is_of_files(causes[-1]) else _named(map(_reads, reversed(frames)), _unusual(found)))
    )
    if not named:
        return None
    values = " and ".join(f"{name} is {shown(found[name])}" for name in named)
    them = "it" if len(named) == 1 else "them"
    library = _package(modules[-1])
    return IGRError(f"{library} cannot be imported while {values} in the environment: correct {them} or unset {them}.")


def broken_library(error: BaseException) -> IGRError | None:
    """An IGRError for a library that is not installed, or whose files cannot be loaded; None for other errors."""
    *_, cause = causes = list(_causes(error))
    frames = [frame for one in causes for frame in _importing(one)]
    modules = [_package(frame) for frame in frames if frame.f_code.co_name == "<module>"]
    missing = ((isinstance(cause, ImportError) and cause.name) or "").partition(".")[0]
    if isinstance(cause, ModuleNotFoundError) and missing not in ("", *_OWN):
        needed = f", which {modules[-1]} needs," if modules and modules[-1] != missing else ""
        return IGRError(f"{missing}{needed} is not installed: install the package that provides it.")
    library = modules[-1] if modules else missing
    if library in ("", *_OWN) or not (isinstance(cause, ImportError) or (modules and _is_of_files(cause))):
        return None
    text = next(filter(None, map(str.strip, str(cause).splitlines())), type(cause).__name__).rstrip(".:")
    short = isinstance(cause, MemoryError) or _OUT_OF_MEMORY.search(text) is not None
    remedy = "free some memory, or raise its limit" if short else "reinstall it, with `make setup` or pip"
    return IGRError(f"{library} cannot be imported ({text}): {remedy}.")


def _is_of_files(error: BaseException) -> bool:
    """Whether an error is about a file, such as a library in machine code, or about memory."""
    path = getattr(error, "path", None) if isinstance(error, ImportError) else None
    return isinstance(error, (OSError, MemoryError)) or (path is not None and not str(path).endswith(".py"))


def _unusual(found: Mapping[str, str]) -> Mapping[str, str]:
    return {
        name: value
        for name, value in found.items()
        if name.upper().split("_")[0] not in ("LC", "XDG", "SSH") and name.upper() not in _ORDINARY
    }


def _named(texts: Iterable[str], found: Mapping[str, str]) -> list[str]:
    """The variables that are named in the first text that names any; empty if none does."""
    return next(filter(None, ([name for name in found if _names(text, name)] for text in texts)), [])


def _of_packages(causes: list[BaseException], frames: list[FrameType], found: Mapping[str, str]) -> list[str]:
    """The variables that have a package's name as their prefix, as tqdm's do, and whose value the error quotes."""
    prefixes = tuple({f"{_package(frame).upper()}_" for frame in frames})
    return [
        name
        for name, value in found.items()
        if name.upper().startswith(prefixes) and any(repr(value) in str(one) for one in causes)
    ]


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and the chain of its causes; transformers replaces the original error with one of its own."""
    while error is not None:
        yield error
        error = error.__cause__


def _importing(error: BaseException) -> list[FrameType]:
    """The frames of an error, starting at the first module of another package that was being imported."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for place, frame in enumerate(frames):
        name = str(frame.f_globals.get("__name__"))
        if frame.f_code.co_name == "<module>" and name.partition(".")[0] not in _OWN:
            return frames[place:]
    return []


def _line(frame: FrameType) -> str:
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno)


def _reads(frame: FrameType) -> str:
    """The lines of a frame's file that read variables of the environment."""
    return "".join(line for line in linecache.getlines(frame.f_code.co_filename) if "env" in line.lower())


def _names(text: str, variable: str) -> bool:
    """Whether a text contains the name of a variable; short names are ignored, because they may be ordinary words."""
    return len(variable) > 3 and re.search(rf"(?<!\w){re.escape(variable)}(?!\w)", text) is not None


def _number(found: Mapping[str, str], name: str) -> int | None:
    """A variable's number; None if the variable is not set, or is -1, which accelerate treats as not set."""
    text = found.get(name, "").strip()
    if text in ("", "-1"):
        return None
    if not re.fullmatch("[0-9]{1,9}", text) or (name == "WORLD_SIZE" and int(text) == 0):
        raise IGRError(f"The environment variable {name} is {shown(text)}, not a valid number: unset it.")
    return int(text)
