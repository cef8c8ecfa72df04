"""Run folders: configs, logs, checkpoints, random state."""

import locale
import os
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
from training.base.config_files import load_config
from training.base.files import write_text
from training.base.optimisation.average import Average
from training.base.provenance import ROOT, curve, last_values
from training.base.run.checkpoints import load_latest, save_checkpoint
from training.base.run.randomness import random_state, restore_random_state, seed_everything, step_generator
from training.base.run.run_folder import RunFolder
from training.base.train_config import OptimizerConfig
from training.evaluation.tables.markdown import fill_markers


@dataclass(frozen=True)
class Settings:
    """A config for the tests of files and command-line changes."""

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
    locale.setlocale(locale.LC_CTYPE, "C")  # the locale's encoding has neither the degree sign nor arrows
    try:
        write_text(page, "5° <!-- evidence:a --><!-- /evidence:a -->")
        fill_markers(page, "a", "SSIM ↑")
        assert load_config(Settings, config).steps == 7
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    assert page.read_bytes().decode() == "5° <!-- evidence:a -->\nSSIM ↑\n<!-- /evidence:a -->"
    config.write_bytes(b"# 5\xb0\n")
    with pytest.raises(IGRError, match="save it as UTF-8"):
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


def test_checkpoint_restores_state_and_random_numbers(tmp_path: Path) -> None:
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


def _flip(path: Path, part: str) -> None:
    """Flip one byte of a checkpoint: in its numbers, its pickle, or the list of its parts."""
    content = bytearray(path.read_bytes())
    place = {"numbers": content.find(torch.full((100,), 7.0).numpy().tobytes()) + 40, "pickle": content.find(b"torch")}
    content[place.get(part, len(content) - 30)] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("part", ["numbers", "pickle", "directory"])
def test_flipped_bytes_are_detected(tmp_path: Path, part: str) -> None:
    run = RunFolder(tmp_path)
    save_checkpoint(run, 1, {"x": torch.ones(100)})
    _flip(save_checkpoint(run, 2, {"x": torch.full((100,), 7.0)}), part)
    found = load_latest(RunFolder(tmp_path))
    assert found is not None and found.step == 1


def test_damaged_checkpoints_are_set_aside_and_never_replace_a_good_one(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for step in (1, 2, 3):
        save_checkpoint(run, step, {"x": torch.ones(100)}, keep=3)
    for name in ("step-000000003.pt", "step-000000100.pt", "step-000000101.pt"):
        (run.checkpoints / name).write_bytes(b"damaged")
    again = RunFolder(tmp_path)
    found = load_latest(again)
    assert found is not None and found.step == 2
    save_checkpoint(again, 3, {"x": torch.ones(100)}, keep=2)
    save_checkpoint(again, 4, {"x": torch.ones(100)}, keep=2)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        "step-000000003.pt",
        "step-000000004.pt",
        "step-000000100.pt.damaged",
        "step-000000101.pt.damaged",
    ]


@pytest.mark.parametrize("content", [b"damaged", b""])
def test_a_run_with_only_damaged_checkpoints_stops_and_lists_them(tmp_path: Path, content: bytes) -> None:
    run = RunFolder(tmp_path)
    for step in (100, 101):
        (run.checkpoints / f"step-{step:09d}.pt").write_bytes(content)
    named = r"step-000000100.pt, step-000000101.pt"
    with pytest.raises(IGRError, match=rf"All checkpoints .* are damaged \({named}\): restore a copy"):
        load_latest(run)
    assert len(list(run.checkpoints.iterdir())) == 2


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), MemoryError()])
def test_a_checkpoint_that_cannot_be_read_now_is_not_treated_as_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Falling back to an older checkpoint would repeat steps that have already been taken."""
    run = RunFolder(tmp_path)
    for step in (1, 2):
        save_checkpoint(run, step, {})

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(IGRError, match=r"step-000000002.pt could not be read \((Permission denied|out of memory)\)"):
        load_latest(run)


def test_damaged_and_duplicate_lines_of_the_log_are_skipped(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_bytes(
        b"step,metric,value\n1,loss,0.5\n\xff\xfe\x00\n2,lo\n2,loss,0.3\n2,loss,0.25\nx,loss,1\n3,loss,1\n"
    )
    assert curve(run.metrics, "loss") == [(1, 0.5), (2, 0.25), (3, 1.0)]
    assert last_values(run.metrics, "loss") == {"loss": 1.0}
    run.rewind(2)
    assert run.metrics.read_text() == "step,metric,value\n1,loss,0.5\n2,loss,0.25\n"
    run.metrics.write_bytes(b"")
    run.rewind(2)
    assert run.metrics.read_text() == "step,metric,value\n"


def test_a_log_that_a_spreadsheet_saved_again_is_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_bytes(b"\xef\xbb\xbfstep,metric,value\r\n1,loss,0.5\r\n2,loss,2.5E-01\r\n3,loss,1\r\n")
    run.rewind(2)
    assert run.metrics.read_text() == "step,metric,value\n1,loss,0.5\n2,loss,0.25\n"
    assert [path.name for path in tmp_path.glob("metrics*")] == ["metrics.csv"]


def test_damaged_lines_are_kept_in_a_copy_of_the_log(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for number, name in enumerate(("metrics.csv.damaged", "metrics.csv.damaged.1")):
        run.metrics.write_bytes(b"step;metric;value\n%d;loss;0,5\n" % number)
        run.rewind(2)
        assert run.metrics.read_text() == "step,metric,value\n"
        assert (tmp_path / name).read_bytes() == b"step;metric;value\n%d;loss;0,5\n" % number


def test_a_run_killed_before_its_first_checkpoint_does_not_log_a_step_twice(tmp_path: Path) -> None:
    RunFolder(tmp_path).log(1, {"loss": 0.5})
    run = RunFolder(tmp_path)
    assert load_latest(run) is None
    run.log(1, {"loss": 0.5})
    run.close()
    assert run.metrics.read_text() == "step,metric,value\n1,loss,0.5\n"


def test_only_one_training_run_at_a_time_can_use_a_run_folder(tmp_path: Path) -> None:
    """The lock is released if the first run is killed; further processes of a run do not lock the folder."""
    script = "import sys, time; from training.base.run.run_folder import RunFolder\n"
    script += "with RunFolder(sys.argv[1]).locked(): print('in', flush=True); time.sleep(600)"
    first = subprocess.Popen([sys.executable, "-c", script, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None and first.stdout.readline() == "in\n"
        with pytest.raises(IGRError, match=f"{tmp_path} is in use by another training"), RunFolder(tmp_path).locked():
            pass
        with pytest.MonkeyPatch.context() as patched:
            further = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
            for name, value in further.items():
                patched.setenv(name, value)
            with RunFolder(tmp_path).locked():
                pass
            patched.delenv("WORLD_SIZE")  # without this variable, each process would consider itself the only one
            with pytest.raises(IGRError, match="but no WORLD_SIZE"), RunFolder(tmp_path).locked():
                pass
    finally:
        first.kill()
        first.communicate()
    with RunFolder(tmp_path).locked():
        pass


def test_a_folder_whose_name_is_not_utf_8_is_refused_before_the_first_step(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / os.fsdecode(b"r\xe9"))
    with pytest.raises(IGRError, match="is not a UTF-8 name.*choose another --run folder"), run.locked():
        pass


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


def test_logging_to_a_full_disk_fails_in_one_sentence(tmp_path: Path) -> None:
    """A real write error: the files of this process are limited to a few bytes."""
    script = """
import resource, sys
from igr_core.errors import IGRError
from training.base.run.run_folder import RunFolder
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


def test_resume_removes_rows_that_will_be_logged_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log(1, {"loss": 0.5})
    save_checkpoint(run, 1, {})
    run.log(2, {"loss": 0.25})
    with run.metrics.open("a") as handle:
        handle.write("3,lo")  # a row truncated because the process was killed
    load_latest(run)
    run.log(2, {"loss": 0.25})
    run.close()
    assert run.metrics.read_text() == "step,metric,value\n1,loss,0.5\n2,loss,0.25\n"


def test_average_follows_the_weights_and_swaps_with_them() -> None:
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


@dataclass(frozen=True)
class Numbers:
    """Numbers without a range."""

    value: float = 0.0
    """One."""
    pair: tuple[float, float] = (0.0, 0.0)
    """Two."""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(("2e-5", 2e-5), ("2E-5", 2e-5), ("2.e-5", 2e-5), ("+2e-05", 2e-5), (".5", 0.5), ("5.", 5.0), ("1e+2", 100.0)),
        *(("0.00002", 2e-5), ("1_000", 1000.0), ("1_000.5", 1000.5), ("010", 10.0), ("-3", -3.0), ("1e5", 100000.0)),
        (".inf", float("inf")),
    ],
)
def test_numbers_are_read_in_all_common_notations(tmp_path: Path, written: str, value: float) -> None:
    """In files and on the command line; also integers where an int is expected."""
    path = tmp_path / "c.yaml"
    path.write_text(f"value: {written}\n")
    assert load_config(Numbers, path).value == value
    path.write_text("")
    assert load_config(Numbers, path, [f"value={written}"]).value == value
    assert load_config(Numbers, path, [f"pair=[{written}, 1]"]).pair == (value, 1.0)
    if value.is_integer():
        path.write_text(f"steps: {written}\n")
        assert load_config(Settings, path).steps == value


@pytest.mark.parametrize("written", ["1:30", "1e-", "e5", "1.2.3", "2e-5x", "0x", "'2e-5'", "--5", "1.5e0"])
def test_values_that_are_not_whole_numbers_are_rejected_for_integer_entries(tmp_path: Path, written: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"steps: {written}\n")
    with pytest.raises(IGRError, match=r"steps is .*must be of type int"):
        load_config(Settings, path)


def test_changes_override_entries_of_a_config_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: muon\nlearning_rate: 0.1\n")
    changed = load_config(OptimizerConfig, path, ["learning_rate=0.5", "betas=[0.5, 0.9]"])
    assert (changed.name, changed.learning_rate, changed.betas) == ("muon", 0.5, (0.5, 0.9))
    for wrong, words in (
        ("learning_rate", "ENTRY=VALUE"),
        ("rate=1", "there is no entry rate"),
        ("name=[", "not valid YAML"),
    ):
        with pytest.raises(IGRError, match=words):
            load_config(OptimizerConfig, path, [wrong])
