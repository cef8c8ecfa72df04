"""Every `python -m training ...` and `python -m igr_core ...` in the pages is accepted by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from igr_core.cli.app import app as igr_core
from igr_core.errors import IGRError
from tests.support.pages import PAGES, label, named_commands, set_entries, shell_commands
from training.base.config_files import load_config
from training.base.train_config import TrainConfig
from training.cli.app import app as training
from training.evaluation.experiments.experiment import ExperimentConfig
from training.prepared.selection import PairsConfig

APPS = {"igr_core": igr_core, "training": training}


def resolve(words: list[str]) -> tuple[Any, Any, list[str]]:
    """The command that words select, its context, and its remaining arguments; a group if they select no command."""
    command, context, rest = typer.main.get_command(APPS[words[0]]), None, words[1:]
    while hasattr(command, "resolve_command") and rest and not rest[0].startswith("-"):
        context = command.context_class(command, info_name=command.name, parent=context)
        _, command, rest = command.resolve_command(context, rest)
    return command, context, rest


def options(command: Any) -> set[str]:
    """Every spelling of a command's options."""
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_every_command_of_a_block_is_complete(page: Path) -> None:
    for words in shell_commands(page):
        command, context, rest = resolve(words)
        assert not hasattr(command, "resolve_command") or "--help" in rest, f"{label(page)}: {words} names no command."
        if "--help" not in rest:
            with command.make_context(command.name, list(rest), parent=context):  # raises for invalid arguments
                pass


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_every_command_in_a_sentence_exists_with_its_options(page: Path) -> None:
    for words in named_commands(page):
        command, _, rest = resolve(words)
        unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - options(command)
        assert not unknown, f"{label(page)}: {' '.join(words)}: no option {sorted(unknown)}"


CONFIGS = Path(__file__).parents[2] / "training" / "configs"
SETTINGS = (
    (TrainConfig, "small/from_scratch/model.yaml"),
    (PairsConfig, "small/pairs_rendered.yaml"),
    (PairsConfig, "small/pairs_drawn.yaml"),
    (ExperimentConfig, "evaluation/eval.yaml"),
    (ExperimentConfig, "evaluation/small/igr_small.yaml"),
    (ExperimentConfig, "evaluation/small/sampling.yaml"),
)
"""Config classes that `--set` changes: those of train, prepare and evaluate run."""


@pytest.mark.parametrize(("page", "entry"), [(page, one) for page in PAGES for one in set_entries(page)], ids=str)
def test_every_entry_that_a_page_sets_exists_in_a_config(page: Path, entry: str) -> None:
    """Parse an entry as the commands do, with numbers in the page's own notation."""
    said = []
    for kind, name in SETTINGS:
        try:
            load_config(kind, CONFIGS / name, [entry])
            return
        except IGRError as error:
            said.append(str(error))
    raise AssertionError(f"{label(page)}: --set {entry}: {said}")


def test_a_wrong_command_is_detected() -> None:
    with pytest.raises(Exception, match="No such command"):
        resolve(["training", "paint"])
    command, context, rest = resolve(["training", "export", "runs/from_scratch", "--out", "a", "--name", "b"])
    with pytest.raises(Exception, match="data"):
        command.make_context("export", rest, parent=context)
