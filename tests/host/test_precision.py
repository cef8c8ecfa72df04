"""The nodes follow the host's choice of precision and memory (with a separate server for each set of flags)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from igr_core.included import INCLUDED_BUNDLE
from igr_core.model.config import CATEGORIES
from igr_core.sampling.presets import Sampling
from tests.host.test_restore import headless
from tests.support.host.graphs import LATENT, SMALL, restore
from tests.support.host.server import Server, find_host, host_with_gpu, running_server


@pytest.fixture(scope="module")
def bf16_server(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = find_host()
    assert not isinstance(found, str), "the fixture server has found one"
    with running_server(*found, tmp_path_factory.mktemp("comfy_bf16"), "--cpu", "--bf16-unet") as running:
        yield running


@pytest.mark.parametrize("category", CATEGORIES)
def test_bf16_gives_the_same_garment_within_its_rounding(bf16_server: Server, category: str) -> None:
    rounded = bf16_server.latents(restore(SMALL, category, seed=3, steps=10), LATENT)
    exact = headless(INCLUDED_BUNDLE, category, 3, Sampling(10))
    difference = (rounded - exact).abs().mean() / exact.abs().mean()
    assert 0 < float(difference) < 0.1


def test_lowvram_gives_the_same_garment(server: Server, tmp_path: Path) -> None:
    with running_server(*host_with_gpu(), tmp_path, "--lowvram") as running:
        given = running.latents(restore(SMALL, "upper", seed=3, steps=10), LATENT)
    exact = headless(INCLUDED_BUNDLE, "upper", 3, Sampling(10))
    assert float((given - exact).abs().mean() / exact.abs().mean()) < 0.1
    assert torch.isfinite(given).all()
