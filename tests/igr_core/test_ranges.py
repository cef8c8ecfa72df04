"""Ranges: every number in every config has one, and a value outside it is reported before anything is built."""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import pytest

from igr_core.errors import IGRError
from igr_core.model.config import MAX_SIDE, ModelConfig, NoiseConfig, UNetConfig, ViewConfig, from_json
from igr_core.photo.inputs import MAX_SIZE
from igr_core.ranges import Length, Range, Ranged
from training.base.train_config import DropConfig, LowResolutionConfig, OptimizerConfig, TrainConfig

NAN, INFINITE = float("nan"), float("inf")


@dataclasses.dataclass(frozen=True)
class Settings(Ranged):
    """One of each kind of entry."""

    share: Annotated[float, Range(0, 1)] = 0.5
    above: Annotated[float, Range(0, 1, above=True)] | None = None
    sides: tuple[Annotated[int, Range(1, 9)], Annotated[int, Range(1, 9)]] = (1, 1)
    some: Annotated[tuple[Annotated[int, Range(1, 9)], ...], Length(1, 2)] = (1,)
    named: dict[str, Annotated[int, Range(1, 9)]] = dataclasses.field(default_factory=dict)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"share": 1.01}, r"config.share is 1.01: use a number from 0 to 1\."),
        ({"share": NAN}, "config.share is nan"),
        ({"share": -INFINITE}, "config.share is -inf"),
        ({"share": 10**400}, "config.share is 1000"),
        ({"above": 0}, r"config.above is 0.0: use a number above 0 and at most 1\."),
        ({"sides": [1, 10]}, r"config.sides\[1\] is 10"),
        ({"sides": [1, 10**5000]}, r"config.sides\[1\] is a number with thousands of digits"),
        ({"some": []}, "config.some has 0 entries: it must have 1 to 2"),
        ({"some": [1, 1, 1]}, "config.some has 3 entries"),
        ({"some": [0]}, r"config.some\[0\] is 0"),
        ({"named": {"a": 0}}, "config.named.a is 0"),
    ],
)
def test_values_outside_are_named(data: dict[str, Any], words: str):
    with pytest.raises(IGRError, match=words):
        from_json(Settings, data)
    if data.get("share") != 10**400:  # larger than a float, which is only possible in files
        with pytest.raises(IGRError, match=words.replace("config.", "").replace("0.0", "0")):
            Settings(**data)


@pytest.mark.parametrize(("high", "told"), [(0.9999999, "0.9999999"), (0.5, "0.5"), (1e6, "1,000,000"), (1, "1")])
def test_limits_are_not_rounded(high: float, told: str):
    with pytest.raises(IGRError, match=rf"x is 10000000000.0: use a number from 0 to {told}\.$"):
        Range(0, high).check(1e10, "x")


def test_values_at_the_ends_of_a_range_are_accepted():
    ends = {"share": 0, "above": 1, "sides": [1, 9], "some": [9, 1], "named": {"a": 1}}
    assert from_json(Settings, ends) == Settings(0.0, 1.0, (1, 9), (9, 1), {"a": 1})
    assert from_json(Settings, {"above": None}).above is None


def _numbers_without_range(kind: Any, where: str) -> Iterator[str]:
    if typing.get_origin(kind) is Annotated:
        inner, *limits = typing.get_args(kind)
        if not any(isinstance(limit, Range) for limit in limits):
            yield from _numbers_without_range(inner, where)
    elif kind in (int, float):
        yield where
    elif dataclasses.is_dataclass(kind):
        for name, hint in typing.get_type_hints(kind, include_extras=True).items():
            yield from _numbers_without_range(hint, f"{kind.__name__}.{name}")  # type: ignore[union-attr]
    elif typing.get_origin(kind) is not typing.Literal:
        for part in typing.get_args(kind):
            yield from _numbers_without_range(part, where)


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_every_number_has_a_range(kind: type):
    assert not list(_numbers_without_range(kind, kind.__name__))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: UNetConfig(attention_heads=0), "attention_heads is 0"),
        (lambda: UNetConfig(block_out_channels=(), attention_levels=()), "block_out_channels has 0 entries"),
        (lambda: ViewConfig(margin=NAN), "margin is nan"),
        (lambda: NoiseConfig(beta_start=0.0), "beta_start is 0"),
        (lambda: NoiseConfig(beta_start=0.02), "beta_start 0.02 must not be above beta_end"),
        (lambda: NoiseConfig(train_steps=10_000), "leaves no signal"),
        (lambda: OptimizerConfig(betas=(0.9, 1.0)), r"betas\[1\] is 1"),
        (lambda: DropConfig(everything=NAN), "everything is nan"),
        (lambda: DropConfig(image_prompt_start=-0.1), "image_prompt_start is -0.1"),
        (lambda: LowResolutionConfig(("a",), (96, 128), 0), "steps is 0"),
    ],
)
def test_configs_made_in_code_are_checked_too(make, words: str):
    with pytest.raises(IGRError, match=words):
        make()


def test_models_are_trained_at_sizes_that_can_be_worked_at():
    assert MAX_SIDE == MAX_SIZE
