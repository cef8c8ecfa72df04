"""torch optimisers: AdamW, variants that need less memory, or Muon for matrices with AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from igr_core.errors import IGRError

from .muon import BatchedMuon

OptimizerName = Literal["adamw", "muon", "adamw8bit", "adafactor"]


class MuonAdamW(torch.optim.Optimizer):
    """Muon for matrices and convolution kernels (as matrices; param group 1), AdamW for the rest (param group 0).

    Muon is for networks trained from scratch; the paper uses AdamW. Sharded optimisers (ZeRO) need AdamW, because they
    split weights into flat pieces, which cannot be orthogonalised.
    """

    def __init__(self, groups: list[dict[str, Any]], weight_decay: float, betas: tuple[float, float]) -> None:
        """`groups` are the weights for AdamW and those for Muon, each with an `lr`."""
        super().__init__(groups, {})
        rest, matrices = self.param_groups
        # Muon only accepts 2-D tensors, so each kernel is passed as a view that shares its memory
        self._views = [(weight, nn.Parameter(_as_matrix(weight.detach(), weight))) for weight in matrices["params"]]
        views = [view for _, view in self._views]
        self._parts: list[torch.optim.Optimizer] = [
            _adamw([{"params": rest["params"], "lr": rest["lr"]}], weight_decay, betas),
            BatchedMuon(views, lr=matrices["lr"], weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        ]

    def use_torchs_muon(self) -> None:
        """Orthogonalise one matrix after another like torch, for comparison."""
        group = self._parts[1].param_groups[0]
        self._parts[1] = torch.optim.Muon(
            group["params"], lr=group["lr"], weight_decay=group["weight_decay"], adjust_lr_fn="match_rms_adamw"
        )

    def orthogonalise_in(self, dtype: torch.dtype) -> None:
        """Set the number format of the orthogonalisation; see BatchedMuon."""
        muon = self._parts[1]
        assert isinstance(muon, BatchedMuon)
        muon.dtype = dtype

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Step both optimisers with the learning rates of the param groups."""
        loss = closure() if closure is not None else None
        for weight, view in self._views:
            view.data = _as_matrix(weight.detach(), weight)  # the model may have been moved in the meantime
            view.grad = None if weight.grad is None else _as_matrix(weight.grad, weight)
        for group, part in zip(self.param_groups, self._parts, strict=True):
            part.param_groups[0]["lr"] = group["lr"]
            part.step()
        for _, view in self._views:
            view.grad = None
        return loss

    def state_dict(self) -> dict[str, Any]:
        """State of both optimisers for a checkpoint, in an order that does not depend on the weights' memory layout."""
        rest, matrices = (part.state_dict() for part in self._parts)
        return {"parts": [rest, self._momenta(matrices, _from_matrix)]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint, which may have been saved with a different memory layout."""
        rest, matrices = state_dict["parts"]
        self._parts[0].load_state_dict(rest)
        self._parts[1].load_state_dict(
            self._momenta(matrices, lambda saved, weight: _as_matrix(saved.reshape(weight.shape), weight))
        )

    def _momenta(self, state_dict: dict[str, Any], turn: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Any]:
        """Muon's state, with every momentum converted to the layout of its weight."""
        turned = {
            number: {**state, "momentum_buffer": turn(state["momentum_buffer"], self._views[number][0])}
            for number, state in state_dict["state"].items()
        }
        return {**state_dict, "state": turned}


def build_optimizer(
    named: Iterable[tuple[str, nn.Parameter]],
    name: OptimizerName,
    learning_rate: float,
    muon_learning_rate: float | None = None,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.99),
    skip_muon: tuple[str, ...] = ("conv_in", "conv_out", "embed"),
) -> torch.optim.Optimizer:
    """Build an optimiser for the trainable weights among `named`; every param group stores its `peak_lr`.

    `skip_muon` contains substrings of the names of first and last layers, which use AdamW.
    """
    trained = [(path, weight) for path, weight in named if weight.requires_grad]
    matrices = [
        weight
        for path, weight in trained
        if name == "muon" and weight.ndim >= 2 and not any(part in path for part in skip_muon)
    ]
    taken = {id(weight) for weight in matrices}
    groups: list[dict[str, Any]] = [
        {"params": [weight for _, weight in trained if id(weight) not in taken], "lr": learning_rate}
    ]
    if matrices:
        groups.append({"params": matrices, "lr": learning_rate if muon_learning_rate is None else muon_learning_rate})
    for group in groups:
        group["peak_lr"] = group["lr"]
    if matrices:
        return MuonAdamW(groups, weight_decay, betas)
    if name == "adafactor":
        return torch.optim.Adafactor(groups, weight_decay=weight_decay)
    if name == "adamw8bit":
        return _adamw_8bit(groups, weight_decay, betas)
    return _adamw(groups, weight_decay, betas)


def _adamw(groups: list[dict[str, Any]], weight_decay: float, betas: tuple[float, float]) -> torch.optim.AdamW:
    """Fused AdamW that converts loaded moments to the memory layout of their weights."""
    optimizer = torch.optim.AdamW(groups, betas=betas, weight_decay=weight_decay, fused=True)
    optimizer.register_load_state_dict_post_hook(_follow_layout)
    return optimizer


def _follow_layout(optimizer: torch.optim.Optimizer) -> None:
    """Convert moments to the memory layout of their weights, because the fused kernels read both as flat memory."""
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == weight.shape and value.stride() != weight.stride():
                state[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def _adamw_8bit(groups: list[dict[str, Any]], weight_decay: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    """AdamW with 8-bit moments; raises IGRError if bitsandbytes or CUDA is missing."""
    try:
        from bitsandbytes.optim import AdamW8bit  # type: ignore[import-not-found]
    except ImportError as error:
        raise IGRError(
            "optimizer adamw8bit needs bitsandbytes: run `pip install bitsandbytes`, or choose adafactor."
        ) from error
    if not torch.cuda.is_available():
        raise IGRError("optimizer adamw8bit needs a CUDA GPU: choose adafactor.")
    return AdamW8bit(groups, betas=betas, weight_decay=weight_decay)


@contextmanager
def peaks_kept(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Context in which loading a state keeps the peak learning rates that the optimiser was built with."""
    peaks = [group["peak_lr"] for group in optimizer.param_groups]
    yield
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["peak_lr"] = peak


def set_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set every param group to the fraction `share` of its peak learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * share


def _as_matrix(tensor: Tensor, weight: Tensor) -> Tensor:
    """A weight, or its gradient, as (outputs, rest); a view if the weight is dense, including channels-last."""
    if weight.ndim == 4 and not weight.is_contiguous():
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(len(tensor), -1)


def _from_matrix(matrix: Tensor, weight: Tensor) -> Tensor:
    """The result of _as_matrix, with its columns in the order of a contiguous weight."""
    if weight.ndim == 4 and not weight.is_contiguous():
        outputs, inputs, height, width = weight.shape
        matrix = matrix.reshape(outputs, height, width, inputs).permute(0, 3, 1, 2).reshape(outputs, -1)
    return matrix
