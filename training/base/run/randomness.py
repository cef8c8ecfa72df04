"""Seeds and states of the random number generators."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """State of Python's, NumPy's and torch's generators, as plain containers and tensors."""
    version, words, gauss = random.getstate()
    name, keys, *rest = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [str(name), torch.from_numpy(keys.astype(np.int64)), *(float(value) for value in rest)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Restore every generator, including those of this machine's GPUs, to a state from random_state."""
    random.setstate(_of_python(state))
    np.random.set_state(_of_numpy(state))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])


def check_random_state(state: Any) -> None:
    """Raise an error if restore_random_state could not restore a state; no generator is changed."""
    random.Random().setstate(_of_python(state))
    np.random.RandomState().set_state(_of_numpy(state))
    torch.Generator().set_state(state["torch"])
    if not all(isinstance(one, torch.Tensor) and one.dtype == torch.uint8 for one in state["cuda"]):
        raise TypeError("a GPU's state is not a tensor of bytes")


def _of_python(state: Mapping[str, Any]) -> tuple[Any, ...]:
    version, words, gauss = state["python"]
    return version, tuple(words), gauss


def _of_numpy(state: Mapping[str, Any]) -> tuple[str, np.ndarray, int, int, float]:
    name, keys, position, has_gauss, cached = state["numpy"]
    return name, keys.numpy().astype(np.uint32), int(position), int(has_gauss), cached


def step_generator(seed: int, step: int) -> torch.Generator:
    """A generator for one step of a run, independent of earlier steps."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1))
