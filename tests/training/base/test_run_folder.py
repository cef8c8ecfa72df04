"""Run mechanics: configs, logs, checkpoints, random state."""

import locale
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from igr_core.errors import IGRError
from training.base.checkpoints import load_latest, save_checkpoint
from training.base.config_files import load_config
from training.base.files import write_text
from training.base.optimisation.average import Average
from training.base.provenance import ROOT
from training.base.randomness import random_state, restore_random_state, seed_everything, step_generator
from training.base.run_folder import RunFolder
from training.base.train_config import OptimizerConfig
from training.evaluation.tables.markdown import fill_markers


@dataclass(frozen=True)
class Settings:
    """For the config test."""

    steps: int = 3
    """A number."""


def _draws() -> list[float]:
    return [random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), float(torch.rand(()))]


def test_config_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("steps: 7\n")
    assert load_config(Settings, path).steps == 7
    path.write_text("")
    assert load_config(Settings, path).steps == 3
    for text, what in (("stepz: 7\n", "stepz"), ("steps: many\n", "steps"), ("steps: [", "YAML"), ("- 1\n", "mapping")):
        path.write_text(text)
        with pytest.raises(IGRError, match=what):
            load_config(Settings, path)
    with pytest.raises(IGRError, match="missing.yaml"):
        load_config(Settings, tmp_path / "missing.yaml")


def test_text_files_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    page, config = tmp_path / "page.md", tmp_path / "config.yaml"
    config.write_bytes("# 5° turned\nsteps: 7\n".encode())
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")  # its encoding has neither the sign of degrees nor arrows
    try:
        write_text(page, "5° <!-- evidence:a --><!-- /evidence:a -->")
        fill_markers(page, "a", "SSIM ↑")
        assert load_config(Settings, config).steps == 7
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    assert page.read_bytes().decode() == "5° <!-- evidence:a -->\nSSIM ↑\n<!-- /evidence:a -->"
    config.write_bytes(b"# 5\xb0\n")
    with pytest.raises(IGRError, match="not valid YAML"):
        load_config(Settings, config)


def test_random_state_is_exact() -> None:
    seed_everything(5)
    random.gauss(0, 1)
    np.random.randn()
    state = random_state()
    expected = _draws()
    assert _draws() != expected
    restore_random_state(state)
    assert _draws() == expected


def test_checkpoint_brings_state_and_random_numbers_back(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert load_latest(run) is None
    seed_everything(1)
    save_checkpoint(run, 2, {"weights": torch.arange(3)})
    expected = _draws()
    found = load_latest(run)
    assert found is not None
    assert found.step == 2
    assert torch.equal(found.state["weights"], torch.arange(3))
    assert _draws() == expected


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for step in (1, 2, 10):
        save_checkpoint(run, step, {}, keep=2)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["step-000000002.pt", "step-000000010.pt"]


def test_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    save_checkpoint(run, 1, {"x": torch.ones(100)})
    newest = save_checkpoint(run, 2, {"x": torch.zeros(100)})
    newest.write_bytes(newest.read_bytes()[:200])
    found = load_latest(run)
    assert found is not None
    assert found.step == 1
    newest.write_bytes(b"")
    found = load_latest(run)
    assert found is not None
    assert found.step == 1


def _full_disk_as_system(data: object, path: Path) -> None:
    Path(path).write_bytes(b"half")
    raise OSError(28, "No space left on device")


def _full_disk_as_torch(data: object, path: Path) -> None:
    Path(path).write_bytes(b"half")
    raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")


@pytest.mark.parametrize("failing", [_full_disk_as_system, _full_disk_as_torch])
def test_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: object) -> None:
    run = RunFolder(tmp_path)
    save_checkpoint(run, 1, {"x": torch.ones(3)}, keep=1)
    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(IGRError, match="step-000000002.pt"):
        save_checkpoint(run, 2, {"x": torch.ones(3)}, keep=1)
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-000000001.pt"]
    found = load_latest(run)
    assert found is not None
    assert found.step == 1


def test_log_on_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """A real refused write: files of this process may not grow beyond a few bytes."""
    script = """
import resource, sys
from igr_core.errors import IGRError
from training.base.run_folder import RunFolder
run = RunFolder(sys.argv[1])
run.log(1, {"loss": 0.5})
resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))
try:
    run.log(2, {f"number {i}": 0.25 for i in range(99)})
except IGRError as error:
    sys.exit(f"told: {error}")
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert f"told: Could not log to {tmp_path}" in done.stderr and "free some space" in done.stderr


def test_resume_forgets_the_rows_that_come_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log(1, {"loss": 0.5})
    save_checkpoint(run, 1, {})
    run.log(2, {"loss": 0.25})
    with run.metrics.open("a") as handle:
        handle.write("3,lo")  # a row cut by a kill
    load_latest(run)
    run.log(2, {"loss": 0.25})
    run.close()
    assert run.metrics.read_text() == "step,metric,value\n1,loss,0.5\n2,loss,0.25\n"


def test_average_follows_and_swaps() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
        average = Average(layer, decay=0.5)
        for _ in range(20):
            layer.weight.fill_(1.0)
            average.update()
    assert 0.99 < float(average.weights["weight"]) < 1
    kept = average.weights["weight"].clone()
    average.swap()
    assert torch.equal(layer.weight, kept)
    average.swap()
    assert float(layer.weight.detach()) == 1
    again = Average(layer, decay=0.5)
    again.load_state_dict(average.state_dict())
    assert again.steps == 20
    assert torch.equal(again.weights["weight"], kept)


def test_step_generator_depends_on_seed_and_step_only() -> None:
    one = torch.rand(3, generator=step_generator(1, 2))
    torch.rand(5)
    assert torch.equal(one, torch.rand(3, generator=step_generator(1, 2)))
    assert not torch.equal(one, torch.rand(3, generator=step_generator(1, 3)))
    assert not torch.equal(one, torch.rand(3, generator=step_generator(2, 2)))


def test_entries_over_a_config_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: muon\nlearning_rate: 0.1\n")
    changed = load_config(OptimizerConfig, path, ["learning_rate=0.5", "betas=[0.5, 0.9]"])
    assert (changed.name, changed.learning_rate, changed.betas) == ("muon", 0.5, (0.5, 0.9))
    for wrong, words in (("learning_rate", "ENTRY=VALUE"), ("rate=1", "unknown entries rate"), ("name=[", "no YAML")):
        with pytest.raises(IGRError, match=words):
            load_config(OptimizerConfig, path, [wrong])
