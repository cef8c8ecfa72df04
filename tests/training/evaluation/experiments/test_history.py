"""A bundle's amount of training over all of its stages."""

from __future__ import annotations

from training.evaluation.experiments.history import pairs_seen, steps_trained


def test_the_number_of_pairs_follows_the_config() -> None:
    config = {"accumulation": 2, "data": {"pairs_per_batch": 8}}
    assert pairs_seen({"config": config, "steps": 10}) == 160
    assert pairs_seen({"steps": 10}) is None


def test_stages_count_together() -> None:
    first = {"config": {"data": {"pairs_per_batch": 8}}, "steps": 10}
    second = {"config": {"data": {"pairs_per_batch": 4}}, "steps": 5, "parent": {"training": first}}
    assert steps_trained(second) == 15
    assert pairs_seen(second) == 100
    assert pairs_seen(second | {"parent": {"training": {"steps": 10}}}) is None
