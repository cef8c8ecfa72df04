"""Compiled models run eagerly with a reference, in every thread, or the run is rejected."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from tests.support.nodes.pack import part

COMPILED = {"torch_compile_kwargs": {"backend": "inductor"}}


def counted() -> tuple[Callable[[torch.Tensor], torch.Tensor], list[Any]]:
    """A compiled function, and a list that records each graph that is compiled or run."""
    runs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        return lambda *args: runs.append(graph) or graph(*args)

    return torch.compile(lambda x: x * 3 + 1, backend=backend), runs


def test_compiled_models_run_eagerly_until_the_run_ends() -> None:
    function, runs = counted()
    x = torch.ones(4)
    assert torch.equal(function(x), x * 3 + 1) and len(runs) == 1
    with part("nodes.host.compiling").uncompiled(COMPILED), ThreadPoolExecutor(1) as pool:
        assert torch.equal(function(x), x * 3 + 1)
        assert torch.equal(pool.submit(function, x).result(), x * 3 + 1)
    assert len(runs) == 1
    function(x)
    assert len(runs) == 2


def test_a_torch_that_cannot_do_so_refuses_compiled_models_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    compiling = part("nodes.host.compiling")
    monkeypatch.setitem(sys.modules, "torch._dynamo", sys)
    monkeypatch.delattr(torch.compiler, "set_stance")
    with compiling.uncompiled({}):
        pass
    with (
        pytest.raises(part("igr_core.errors").IGRError, match="remove TorchCompileModel"),
        compiling.uncompiled(COMPILED),
    ):
        pass
