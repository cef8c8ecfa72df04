"""The variables of launchers."""

from __future__ import annotations

import pytest

from igr_core.errors import IGRError
from igr_core.processes import Processes, check_log_level, launched_processes

LAUNCHED = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_without_a_launcher_there_is_one_process() -> None:
    for environment in ({}, {"RANK": ""}, {"LOCAL_RANK": "-1"}, {"RANK": "0", "WORLD_SIZE": "1"}):
        assert launched_processes(environment) == Processes()


def test_the_process_of_a_launcher() -> None:
    assert launched_processes(LAUNCHED) == Processes(1, 4, 1, True)
    assert launched_processes(LAUNCHED | {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}).launched


@pytest.mark.parametrize("name", LAUNCHED)
def test_an_incomplete_description_is_refused(name: str) -> None:
    with pytest.raises(IGRError, match=rf"no {name}: start several processes with torchrun"):
        launched_processes({one: value for one, value in LAUNCHED.items() if one != name})


@pytest.mark.parametrize(
    "environment", [{"RANK": "1"}, {"LOCAL_RANK": "0"}, {"WORLD_SIZE": "2"}, {"RANK": "1", "WORLD_SIZE": "1"}]
)
def test_a_lone_variable_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(IGRError, match="unset these variables"):
        launched_processes(environment)


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"])
@pytest.mark.parametrize("value", ["abc", "1.5", "-2", "9" * 5000, "²"])
def test_values_that_are_not_numbers_are_refused(name: str, value: str) -> None:
    with pytest.raises(IGRError, match=f"variable {name} is .* not a valid number"):
        launched_processes(LAUNCHED | {name: value})
    with pytest.raises(IGRError, match="RANK=4 is not below WORLD_SIZE=4"):
        launched_processes(LAUNCHED | {"RANK": "4"})


def test_an_unknown_level_of_logging_is_refused_before_anything_is_imported() -> None:
    for level in ("info", "WARNING"):
        check_log_level({"ACCELERATE_LOG_LEVEL": level})
    check_log_level({})
    with pytest.raises(IGRError, match="ACCELERATE_LOG_LEVEL is 'loud' in the environment: set it to INFO or WARNING"):
        check_log_level({"ACCELERATE_LOG_LEVEL": "loud"})
