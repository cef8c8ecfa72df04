"""The file of a flattening network: safetensors with its config in the header."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError

from ..errors import IGRError
from ..files import check_model_file, open_tensors, own_memory, write_tensors
from ..foreign import explain_unreadable
from ..json_text import parse_json
from ..model.config import from_json, to_json
from .network import Flattener, FlattenerConfig
from .outline_file import load_outlines
from .outlines import Outlines

KEY = "igr_flattener"
"""Entry of the header with the config as JSON."""
_MAX_HEADER = 100_000
"""Maximum length of the entry in characters."""
_AGAIN = "use an intact file, or train the flattener again with `python -m training train-flattener`"


def load_flattener(path: Path, device: str | torch.device = "cpu") -> Flattener:
    """Load a flattening network in float32, ready for inference, with the outlines beside it, if there are any.

    Raises IGRError naming the file if it is missing, damaged or another kind of model.
    """
    check_model_file(path, "the flattener")
    try:
        with open_tensors(path) as handle:
            text = (handle.metadata() or {}).get(KEY)
            if text is None or len(text) > _MAX_HEADER:
                raise IGRError(f"{path} is not a flattener: {_AGAIN}.")
            data = parse_json(text, f"{path} has a damaged header, which", _AGAIN)
            config = from_json(FlattenerConfig, data, f"{path} ({KEY})")
            with torch.device("meta"):
                network = Flattener(config)
            wanted = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
            shapes = {name: tuple(handle.get_slice(name).get_shape()) for name in handle.keys()}
            if shapes != wanted:
                name = sorted(name for name in wanted.keys() | shapes.keys() if wanted.get(name) != shapes.get(name))[0]
                raise IGRError(f"{path} does not match its own config in {name}: {_AGAIN}.")
            weights = {name: handle.get_tensor(name) for name in wanted}
    except PermissionError as error:
        raise IGRError(f"{path} cannot be read: change its permissions.") from error
    except (OSError, SafetensorError) as error:
        raise IGRError(f"{path} cannot be read as a flattener: {explain_unreadable(path, _AGAIN)}.") from error
    for name, weight in weights.items():
        if not weight.is_floating_point() or not bool(weight.isfinite().all()):
            raise IGRError(f"{path} contains NaN, infinite or integer values in {name}: {_AGAIN}.")
    network.load_state_dict({name: weight.float() for name, weight in weights.items()}, assign=True)
    if (beside := outlines_beside(path)).is_file():
        network.outlines = _outlines(beside, config.size)
    return network.requires_grad_(False).eval().to(device)


def outlines_beside(path: Path) -> Path:
    """Path of the outlines for a flattener: `flattener_outlines.npz` beside `flattener.safetensors`."""
    return path.with_name(f"{path.stem}_outlines.npz")


def _outlines(path: Path, size: tuple[int, int]) -> Outlines:
    found = load_outlines(path)
    height, width = found.labels.shape[1:]
    if (width, height) != size:
        raise IGRError(
            f"{path} has outlines of {width}x{height}, but the flattener's size is {size[0]}x{size[1]}: make them "
            "again with `python -m training collect-outlines`."
        )
    return Outlines(found)


def save_flattener(path: Path, network: Flattener) -> None:
    """Write a network's weights in half precision with its config; raises IGRError as files.write_tensors does."""
    header = {KEY: json.dumps(to_json(network.config), sort_keys=True)}
    write_tensors(path, own_memory({name: weight.half() for name, weight in network.state_dict().items()}), header)
