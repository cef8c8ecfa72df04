"""Any JSON in place of any setting of data, experiments or small models gives either a config or a one-sentence
error."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igr_core.errors import IGRError
from igr_core.model.config import from_json, to_json
from igr_core.model.networks import build_image_encoder, build_vae
from tests.support.fuzzing import VALUES, changed, fuzzed, memory_limit, places
from training.base.config_files import load_config
from training.curation.scores import CurationConfig
from training.data.caches.draw_config import DrawConfig
from training.data.opening import DataSetConfig
from training.evaluation.experiments.experiment import ExperimentConfig, RowConfig
from training.prepared.selection import PairsConfig
from training.robustness.plan import Plan
from training.small_models.image_encoder import ImageEncoderTraining
from training.small_models.parser.model import ParserShape, build_parser
from training.small_models.parser.training import ParserTraining
from training.small_models.segmenter.model import SegmenterShape, build_segmenter
from training.small_models.segmenter.training import SegmenterTraining
from training.small_models.vae import VAETraining

DATA = DataSetConfig(root="r", limit=5, categories=("upper",))
ROW = RowConfig("a", "x/{seed}", (0, 1), steps=(5, 10))
CONFIGS = (
    PairsConfig(DATA, "m"),
    CurationConfig(),
    DrawConfig(),
    ExperimentConfig("t", (ROW,), DATA, baseline="a, 5 steps", nearest=DATA, controls=()),
    Plan(),
    VAETraining(init="i"),
    ImageEncoderTraining(),
    ParserTraining(),
    SegmenterTraining(),
)


def check_numbers(data: Any) -> None:
    """Check that an accepted config has no number that torch, NumPy or a loop cannot handle."""
    for path in places(data):
        value = data
        for key in path:
            value = value[key]
        if isinstance(value, (int, float)):
            assert math.isfinite(value) and abs(value) < 2**63, path


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
@fuzzed(40)
@given(data=st.data())
def test_settings_are_refused_in_one_sentence_or_have_finite_numbers(config: Any, data: st.DataObject) -> None:
    plain = to_json(config)
    path = data.draw(st.sampled_from(sorted(places(plain), key=str)))
    try:
        found = from_json(type(config), changed(plain, path, data.draw(VALUES)), "file.yaml")
    except IGRError as error:
        assert len(str(error)) < 2000
        return
    check_numbers(to_json(found))


@pytest.mark.parametrize(
    ("shape", "build"),
    [
        (ParserShape(), build_parser),
        (SegmenterShape(), build_segmenter),
        (VAETraining().vae, build_vae),
        (ImageEncoderTraining().image_encoder, build_image_encoder),
    ],
    ids=["parser", "segmenter", "vae", "image encoder"],
)
@fuzzed(15)
@given(data=st.data())
def test_accepted_shapes_can_be_built(shape: Any, build: Any, data: st.DataObject) -> None:
    plain = to_json(shape)
    path = data.draw(st.sampled_from(sorted(places(plain), key=str)))
    try:
        found = from_json(type(shape), changed(plain, path, data.draw(VALUES)), "file.yaml")
    except IGRError:
        return
    with memory_limit(), torch.device("meta"):
        assert sum(one.numel() for one in build(found).parameters()) < 2e9


@pytest.mark.parametrize(
    ("config", "change", "words"),
    [
        (ParserTraining, "batch=-2", "batch is -2: use a number from 1"),
        (ParserTraining, "log_every=0", "log_every is 0"),
        (SegmenterTraining, "seed=-1", "seed is -1"),
        (VAETraining, "seed=18446744073709551616", "seed is 18446744073709551616"),
        (VAETraining, "ema_decay=2", "ema_decay is 2"),
        (ImageEncoderTraining, "steps=0", "steps is 0"),
        (ImageEncoderTraining, "learning_rate=.nan", "learning_rate is nan"),
        (PairsConfig, "data.synthetic.count=-1", "count is -1"),
        (PairsConfig, "spoil_share=.nan", "spoil_share is nan"),
    ],
)
def test_the_entry_is_named(config: Any, change: str, words: str, tmp_path: Any) -> None:
    (tmp_path / "a.yaml").write_text("data: {root: r}\n" if config is PairsConfig else "run: r\n")
    with pytest.raises(IGRError, match=words):
        load_config(config, tmp_path / "a.yaml", [change])


def test_configs_created_in_code_are_validated_too() -> None:
    with pytest.raises(IGRError, match="keep is 0"):
        dataclasses.replace(VAETraining(), keep=0)
