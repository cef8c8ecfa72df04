"""Any JSON in place of any field of a bundle's header or a training config: a config or one sentence, nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igr_core.errors import IGRError
from igr_core.json_text import parse_json
from igr_core.model.bundle import BundleInfo
from igr_core.model.config import ModelConfig, from_json, to_json
from igr_core.model.weights_needed import weights_needed
from igr_core.restore.schedule import alphas_cumprod
from tests.support.models.tiny import INFO
from training.base.train_config import (
    DataConfig,
    ExtraLossConfig,
    LoraConfig,
    LowResolutionConfig,
    TrainConfig,
)

EXAMPLES = 400
"""For each test; 100,000 once by hand."""
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.sampled_from([10**6, 10**8, 2**31, 2**63, 2**64, 10**400, 1e-300, 1e300, 4096, 8000, 65536]),
)
SCALARS = st.one_of(NUMBERS, st.none(), st.booleans(), st.text(max_size=400))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
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
FUZZED = settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every entry, and every item of every list."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, (list, tuple)) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at one place."""
    result = copy.deepcopy(json.loads(json.dumps(data)))
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


def check_model(model: ModelConfig) -> None:
    """What a config that is accepted promises."""
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
