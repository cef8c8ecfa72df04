"""Any JSON in place of any field of a bundle's header or a training config gives either a config or a one-sentence
error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from igr_core.errors import IGRError
from igr_core.json_text import parse_json
from igr_core.model.bundle import BundleInfo
from igr_core.model.config import ModelConfig, from_json, to_json
from igr_core.model.weights_needed import weights_needed
from igr_core.sampling.schedule import alphas_cumprod
from tests.support.fuzzing import VALUES, changed, fuzzed, places
from tests.support.models.tiny import INFO
from training.base.train_config import (
    DataConfig,
    ExtraLossConfig,
    LoraConfig,
    LowResolutionConfig,
    TrainConfig,
)

EXAMPLES = 400
"""Number of examples for each test; 100,000 were run once by hand."""
BUNDLE = to_json(INFO)
TRAINING = to_json(
    TrainConfig(
        DataConfig(("a", "b"), {"drawn": "c"}, "v", "e", limit=5, weights=(0.5, 0.5), photos=(0.5, 0.5)),
        low_resolution=LowResolutionConfig(("a",), (96, 128), 5),
        lora=LoraConfig(),
        extra_losses=ExtraLossConfig(dino=0.1, dino_model="d"),
        min_snr_gamma=5.0,
    )
)
FUZZED = fuzzed(EXAMPLES)


def check_model(model: ModelConfig) -> None:
    """Properties of an accepted config."""
    assert all(0 < count < 10**15 for count in weights_needed(model).values())
    alphas = alphas_cumprod(model.noise)
    assert bool(alphas.isfinite().all()) and float(alphas.diff().max()) < 0


@FUZZED
@given(st.sampled_from(sorted(places(BUNDLE), key=str)), VALUES)
def test_bundle_headers(path: tuple[Any, ...], value: Any) -> None:
    try:
        data = parse_json(json.dumps(changed(BUNDLE, path, value)), "The header", "export it again")
        info = from_json(BundleInfo, data, "bundle")
    except IGRError as error:
        assert len(str(error)) < 1000
        return
    check_model(info.model)


@FUZZED
@given(st.sampled_from(sorted(places(TRAINING), key=str)), VALUES)
def test_training_configs(path: tuple[Any, ...], value: Any) -> None:
    try:
        config = from_json(TrainConfig, changed(TRAINING, path, value), "train.yaml")
    except IGRError as error:
        assert "\n" not in str(error).split(":")[0]
        return
    check_model(config.model)
    assert config.steps > 0 and config.data.pairs_per_batch > 0 and 0 <= config.ema_decay < 1
