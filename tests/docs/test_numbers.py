"""Numbers in the pages match the output of the commands that printed them."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest

from igr_core.files import sha256
from igr_core.included import INCLUDED_PARSER, INCLUDED_SEGMENTER
from igr_core.model.config import ModelConfig
from tests.support.pages import ROOT, block
from training.base.config_files import load_config
from training.base.train_config import TrainConfig
from training.core.compute.estimate import Estimate, estimate, hours_table
from training.evaluation.tables.markdown import markdown

PERFORMANCE = ROOT / "docs" / "performance.md"
SMALL_MODELS = ROOT / "docs" / "small_models.md"
CONFIGS = ROOT / "training" / "configs"


def row(name: str, found: Estimate, config: TrainConfig) -> list[str]:
    """A line of the memory table: gigabytes of each part, and the work of a step."""
    parts = (
        found.weights,
        found.gradients,
        found.optimizer,
        found.average,
        found.copies,
        found.activations,
        found.total,
    )
    return [
        name,
        *(f"{part:.1f} GB" if part else "–" for part in parts),
        f"{found.teraflops * config.accumulation:.0f}",
    ]


def estimates() -> str:
    """Memory by config and hours by card, as docs/performance.md shows them."""
    coarse, single = (load_config(TrainConfig, CONFIGS / f"{name}.yaml") for name in ("coarse", "single_24gb"))
    model = ModelConfig()
    plain = estimate(coarse, model, 4)
    whole = estimate(replace(coarse, gradient_checkpointing=True), model, 4)
    small = estimate(single, replace(model, native_size=single.size or model.native_size), 1)
    parts = ["weights", "gradients", "optimiser", "average", "bf16 copies", "activations", "sum"]
    titles = ["for each card", *parts, "TFLOP a step"]
    lines = [
        row("coarse.yaml, 4 cards, 8 rows each", plain, coarse),
        row("the same, every block checkpointed", whole, coarse),
        row("single_24gb.yaml, 2 rows, 16 times", small, single),
    ]
    return f"{markdown(titles, lines)}\n{hours_table(plain, coarse, 4)}\n"


def test_estimates_are_those_that_the_command_makes() -> None:
    found = estimates()
    if os.environ.get("IGR_UPDATE"):
        page = PERFORMANCE.read_text(encoding="utf-8")
        new = re.sub(r"(<!-- estimate -->\n).*?(<!-- /estimate -->)", rf"\1{found}\2", page, flags=re.DOTALL)
        PERFORMANCE.write_text(new, encoding="utf-8")
    assert block(PERFORMANCE, "estimate") == found, "IGR_UPDATE=1 writes the table of docs/performance.md anew."


@pytest.mark.parametrize(("name", "folder"), [("segmenter", INCLUDED_SEGMENTER), ("parser", INCLUDED_PARSER)])
def test_scores_of_small_models_are_of_those_that_ship(name: str, folder: object) -> None:
    digest = sha256(ROOT / str(folder) / "model.safetensors")[:16]
    command = f"python -m training measure-{name} igr_core/included/{name}"
    assert f"model.safetensors {digest}:" in block(SMALL_MODELS, f"measured:{name}"), f"Run {command} again."
