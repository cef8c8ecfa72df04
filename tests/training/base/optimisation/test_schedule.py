"""Learning rates over a run."""

import pytest

from training.base.optimisation.schedule import cosine_rate, rate_share
from training.base.train_config import OptimizerConfig


def test_cosine_rate() -> None:
    assert cosine_rate(0, 100, 10) == pytest.approx(0.1)
    assert cosine_rate(10, 100, 10) == pytest.approx(1.0)
    assert cosine_rate(100, 100, 10) == pytest.approx(0.02)
    assert cosine_rate(1000, 100, 10) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("constant", [0.5, 1, 1, 1, 1, 1]), ("decay", [0.5, 1, 1, 1, 2 / 3, 1 / 3]), ("cosine", [0.5, 1, 1, 0.8565])],
)
def test_rate_share(schedule: str, shares: list[float]) -> None:
    optimizer = OptimizerConfig(schedule=schedule, warmup_steps=2, decay_steps=3)  # type: ignore[arg-type]
    assert [rate_share(optimizer, step, 6) for step in range(len(shares))] == pytest.approx(shares, abs=1e-4)
