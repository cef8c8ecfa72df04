"""Load a model from a folder in transformers' layout, after checking its files without allocating the model."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import IGRError
from ..files import check_decoded, open_tensors
from ..json_text import read_json
from ..ranges import Length, Range
from ..text import counted

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_DEPTH = re.compile(r"layers$|(?<!global_attention_)blocks$|blocks_per_stage$|depths?$|levels$")
"""Entries that give numbers of blocks; their sum determines how long it takes to build the model."""
_BLOCKS = 128
"""Maximum number of blocks in a model; SegFormer B5 has 56, and SAM 2 large has 64 with its video parts."""
_REPEATED = re.compile(rf"(^|_)num_|{_DEPTH.pattern}")
"""Entries that give a number of repetitions of any kind."""
_TIMES = Range(0, 256)
_NUMBER = Range(-1e6, 1e6)
_ENTRIES = Length(0, 256)
_MOST_ENTRIES = 20_000
"""Maximum number of entries of a config.json; SAM 2's have about 300, and a parser has a few for each label."""
_REFUSED = {
    "quantization_config": "its weights are quantised",
    "transformers_weights": "it specifies a separate weight file",
}
"""Entries of config.json that would make transformers read other files or import other packages."""
_ELSEWHERE = ("backbone", "use_pretrained_backbone", "use_timm_backbone", "is_hybrid")
"""Entries, at any level, that make transformers look for a part of the model online."""
_DTYPES = ("F64", "F32", "F16", "BF16")
_COUNTERS = ("num_batches_tracked", "position_ids")
"""Name suffixes of integer buffers."""
_SLACK = 1_000_000
_MAX_TENSOR = 4 * 2**30
"""Maximum size in bytes of a tensor computed for one photo; SAM 2 large needs 0.3 GB."""


@dataclass(frozen=True)
class FolderLoader:
    """Functions with which transformers builds and loads one type of model."""

    what: str
    """Name of the type in error messages."""
    read_config: Callable[..., Any]
    """The configuration class's from_pretrained."""
    build: Callable[..., Any]
    """Builds the model with random weights from a configuration."""
    load: Callable[..., Any]
    """The model class's from_pretrained."""
    attention: str
    """Attention implementation; set explicitly, because transformers would look online for one named in the folder."""


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json, and check its numbers and the names of the weight files.

    Raises IGRError naming the file if the path is not valid UTF-8, the JSON is invalid, a number is out of range, there
    are more blocks than in any published model, a part of the model or its code is outside the folder, the weights are
    quantised or not in .safetensors files in the folder, or there is an adapter.
    """
    check_decoded(folder)
    path = folder / "config.json"
    config = read_json(path, "copy the model's whole folder again")
    for key, reason in _REFUSED.items():
        if key in config:
            raise IGRError(f"{path} has {key} ({reason}): get the model as plain .safetensors weights.")
    _check_entries(path, config)
    if (folder / "adapter_config.json").exists():
        raise IGRError(f"{folder} has an adapter_config.json: get the model with its adapter merged into the weights.")
    for index in sorted(folder.glob("*.index.json")):
        _check_index(index)
    return config


def load_folder(loader: FolderLoader, folder: Path, trial: Callable[[Any], object]) -> tuple[PreTrainedModel, set[str]]:
    """Load a folder that read_config accepts, in float32 on the CPU; returns the model and its missing tensors.

    Before any weight is read, the model is built on the meta device, which allocates no memory, and `trial` is run
    with it. Raises IGRError naming the folder if the trial fails, if the config requires more weights than the folder
    has or more memory than one photo may use, or if weights cannot be loaded, are not part of the model, or are NaN or
    infinite.
    """
    again = "copy the folder again"
    try:
        config = _with_named_outputs(loader.read_config(folder, local_files_only=True))
        with torch.device("meta"):
            empty = loader.build(config, attn_implementation=loader.attention).eval().float()
    except Exception as error:  # the errors of transformers and torch have no common type
        raise IGRError(f"{folder} cannot be loaded as {loader.what} ({_first_line(error)}): {again}.") from error
    needed, found = sum(one.numel() for one in empty.parameters()), count_weights(folder, loader.what)
    if needed > found + _SLACK:
        raise IGRError(f"{folder} has {found:,} weights, but its config.json needs {needed:,}: {again}.")
    largest = _bytes_of_a_photo(folder, loader.what, lambda: trial(empty))
    if largest > _MAX_TENSOR:
        raise IGRError(
            f"According to its config.json, {folder} needs a tensor of {largest / 1e9:,.0f} GB for one photo, more "
            f"than the limit of {_MAX_TENSOR / 1e9:,.0f} GB; the file may be damaged: {again}."
        )
    try:
        with _without_report():
            model, info = loader.load(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                attn_implementation=loader.attention,
            )
    except Exception as error:  # the errors of safetensors, transformers and torch have no common type
        raise IGRError(f"{folder} cannot be loaded as {loader.what} ({_first_line(error)}): {again}.") from error
    if unused := {name for name in info["unexpected_keys"] if not name.endswith(_COUNTERS)}:
        raise IGRError(
            f"{folder} has {counted(len(unused), 'weight')} that its config.json does not use, such as {min(unused)}: "
            f"{again}."
        )
    missing = set(info["missing_keys"])
    for name, value in model.state_dict().items():
        if name not in missing and not bool(torch.isfinite(value).all()):
            raise IGRError(f"{folder} contains NaN or infinite values in {name}: {again}.")
    return model.to(dtype=torch.float32), missing


def _with_named_outputs(config: Any) -> Any:
    """A configuration whose models return named outputs, whatever the folder's config.json specifies."""
    config.return_dict = True
    for part in vars(config).values():
        if hasattr(part, "return_dict"):
            _with_named_outputs(part)
    return config


@contextmanager
def _without_report() -> Iterator[None]:
    """Keep transformers from logging a table of tensor names, and from drawing a progress bar in the user's terminal.

    load_folder raises an error instead of logging the table.
    """
    from transformers.utils import logging as reports

    shows_bars = reports.is_progress_bar_enabled()
    logger = logging.getLogger("transformers.modeling_utils")

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger.addFilter(is_error)  # unlike a level, filters of several threads do not overwrite each other
    reports.disable_progress_bar()
    try:
        yield
    finally:
        logger.removeFilter(is_error)
        if shows_bars:
            reports.enable_progress_bar()


def _bytes_of_a_photo(folder: Path, what: str, trial: Callable[[], object]) -> int:
    """Bytes of the largest tensor in a trial on the meta device; 0 if an operation does not support this device."""
    try:
        with torch.no_grad(), _LargestTensor() as largest:
            trial()
    except NotImplementedError:
        return 0
    except Exception as error:  # the errors of transformers and torch have no common type
        raise IGRError(f"{folder} cannot be loaded as {what} ({_first_line(error)}): copy the folder again.") from error
    return largest.size


class _LargestTensor(TorchDispatchMode):
    """Records the bytes of the largest tensor that operations return."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(one, Tensor):
                self.size = max(self.size, one.numel() * one.element_size())
        return result


def _check_entries(path: Path, config: dict[str, Any]) -> None:
    """Check every entry of a config.json; raises IGRError as read_config does."""
    blocks = 0
    for count, (name, value) in enumerate(_entries(config, "")):
        if count == _MOST_ENTRIES:
            raise IGRError(f"{path} has more than {_MOST_ENTRIES:,} entries: copy the model's whole folder again.")
        key = name.rpartition(".")[2].partition("[")[0]
        if value and (key in _ELSEWHERE or _is_code(name, key) or (key == "model_type" and _is_timm(value))):
            raise IGRError(
                f"{path} has {name}, so part of the model is not in the folder: use a model that is complete without "
                "downloads."
            )
        if isinstance(value, list):
            _ENTRIES.check(value, f"{path}: {name}")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            (_TIMES if _REPEATED.search(key) else _NUMBER).check(value, f"{path}: {name}")
            blocks += value if _DEPTH.search(key) else 0
    if blocks > _BLOCKS:
        raise IGRError(
            f"{path} describes a model with {blocks:,.0f} blocks, more than the {_BLOCKS} supported: copy the model's "
            "whole folder again."
        )


def _entries(data: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every entry of parsed JSON, at any level and also in lists, with its location."""
    if isinstance(data, dict):
        inside = [(f"{where}.{key}" if where else str(key), value) for key, value in data.items()]
    else:
        inside = [(f"{where}[{number}]", value) for number, value in enumerate(data)]
    for name, value in inside:
        yield name, value
        if isinstance(value, (dict, list)):
            yield from _entries(value, name)


def _is_code(name: str, key: str) -> bool:
    """Whether an entry names code for a part; trust_remote_code=False only ignores code for the whole model."""
    return key == "auto_map" and name != key


def _is_timm(kind: Any) -> bool:
    return str(kind).startswith("timm")


def _check_index(path: Path) -> None:
    """Raise IGRError unless every shard of an index is a .safetensors file beside it."""
    shards = read_json(path, "copy the model's whole folder again").get("weight_map")
    for name in shards.values() if isinstance(shards, dict) else [None]:
        if not isinstance(name, str) or not name.endswith(".safetensors") or "/" in name or "\\" in name:
            raise IGRError(
                f"{path} lists {name!r} as a weights file: use a model whose weights are .safetensors files in the "
                "same folder."
            )


def count_weights(folder: Path, what: str) -> int:
    """Number of weights in a folder's files, without reading them; raises IGRError for a damaged file."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with open_tensors(path) as handle:
                for key in handle.keys():  # noqa: SIM118
                    piece = handle.get_slice(key)
                    total += math.prod(piece.get_shape())
                    if not (str(piece.get_dtype()) in _DTYPES or key.endswith(_COUNTERS)):
                        raise IGRError(f"{path} stores {key} as {piece.get_dtype()}: get the model in fp16 or fp32.")
        except (OSError, SafetensorError) as error:
            reason = f"{path.name}: {_first_line(error)}"
            raise IGRError(f"{folder} cannot be loaded as {what} ({reason}): copy the folder again.") from error
    return total


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
