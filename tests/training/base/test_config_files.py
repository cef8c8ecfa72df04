"""Unusual YAML configs: aliases that expand to many values, values that contain themselves, and names that are not
text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from training.base.config_files import load_config, read_yaml
from training.base.train_config import TrainConfig


def bomb(start: str, row: str) -> str:
    """Nine rows, each of which repeats the previous one ten times."""
    rows = [f"a{number}: &a{number} {row.format(','.join([f'*a{number - 1}'] * 10))}" for number in range(1, 10)]
    return "\n".join([f"a0: &a0 {start}", *rows])


@pytest.mark.parametrize(
    "text",
    [bomb("{x: 1}", "{{<<: [{}]}}"), bomb("[1, 1]", "[{}]"), bomb("{x: 1}", "{{k: [{}]}}")],
    ids=["merge", "list", "map"],
)
def test_aliases_cannot_multiply_the_values(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    with pytest.raises(IGRError, match="more than 100,000 values"):
        load_config(TrainConfig, path)


def test_aliases_and_merges_of_normal_size_are_read() -> None:
    assert read_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": [{"x": 1}, {"x": 1}],
    }


@pytest.mark.parametrize("text", ["model: &m\n  view: *m\n", "base: other.yaml\nmodel: &m\n  view: *m\n"])
def test_a_value_that_contains_itself_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.yaml").write_text("model: &m\n  view: *m\n")
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(IGRError, match="a value contains itself"):
        load_config(TrainConfig, tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1: a\nfoo: b\n", "1, foo"),
        ("~: a\ntrue: b\nzz: 1\n", "None, True, zz"),
        ("2024-01-01: a\nfoo: b\n", "2024-01-01, foo"),
    ],
)
def test_unknown_names_of_any_type_are_listed(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(IGRError, match=f"has unknown entries {words}; known are"):
        load_config(TrainConfig, tmp_path / "c.yaml")


def test_a_path_in_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/anna")
    found = read_yaml("run: ~/runs/first\nshares: [~/a, ./~/b]\nname: ~tilde\nnothing: ~\n")
    assert found["run"] == "/people/anna/runs/first" and found["shares"] == ["/people/anna/a", "./~/b"]
    assert found["name"] == "~tilde" and found["nothing"] is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_configs_may_have_the_encodings_of_notepad(tmp_path: Path, encoding: str) -> None:
    path, text = tmp_path / "c.yaml", "data: {train: [ä], validation: b, vae: c, image_encoder: d}\r\nsteps: 4\r\n"
    path.write_bytes(text.encode(encoding))
    config = load_config(TrainConfig, path)
    assert config.steps == 4 and config.data.train == ("ä",)
    path.write_bytes(text.encode("cp1252"))
    with pytest.raises(IGRError, match=r"c\.yaml is not a UTF-8 text file: save it as UTF-8\."):
        load_config(TrainConfig, path)


def test_yes_and_no_are_text(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {train: [a], validation: b, vae: c, image_encoder: d}\n")
    assert load_config(TrainConfig, tmp_path / "c.yaml", ["precision=no"]).precision == "no"
    assert load_config(TrainConfig, tmp_path / "c.yaml", ["compile=true"]).compile is True
    with pytest.raises(IGRError, match="compile must be true or false, not 'yes'"):
        load_config(TrainConfig, tmp_path / "c.yaml", ["compile=yes"])


@pytest.mark.parametrize(
    ("text", "line"),
    [("steps: 10\nseed: 1\nsteps: 20\n", 3), ("model:\n  view: {mode: whole, mode: focused}\n", 2)],
)
def test_an_entry_that_is_given_twice_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(IGRError, match=rf"is not valid YAML \('(steps|mode)' is given twice, line {line}\): correct"):
        load_config(TrainConfig, tmp_path / "c.yaml")


@pytest.mark.parametrize("path", ["/dev/zero", "pipe", "folder"])
def test_a_config_that_is_not_a_file_is_named_immediately(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IGRError, match="is not a file: choose a YAML file"):
        load_config(TrainConfig, tmp_path / path)
    (tmp_path / "c.yaml").write_text(f"base: {tmp_path / path}\n")
    with pytest.raises(IGRError, match="is not a file: choose a YAML file"):
        load_config(TrainConfig, tmp_path / "c.yaml")


def test_a_file_too_large_for_a_config_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(IGRError, match="has more than 1,000,000 bytes, too many for a config"):
        load_config(TrainConfig, tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("steps=0x4", "--set 'steps=0x4' is not valid: steps must be a whole number, not '0x4'."),
        ("data.train=[3]", "--set 'data.train=[3]' is not valid: data.train[0] must be text, not 3."),
        ("steps=-4", "--set 'steps=-4': steps is -4: use a number from 1 to 1,000,000,000."),
        ("optimizer.rate=1", "--set 'optimizer.rate=1' is not valid: there is no entry optimizer.rate; known are "),
    ],
)
def test_a_wrong_value_on_the_command_line_is_not_blamed_on_the_file(tmp_path: Path, change: str, told: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {train: [a], validation: b, vae: c, image_encoder: d}\n")
    with pytest.raises(IGRError) as raised:
        load_config(TrainConfig, path, ["seed=1", change])
    assert str(raised.value).startswith(told)
    path.write_text("data: {train: [a], validation: b, vae: c, image_encoder: d}\nsteps: 0x4\n")
    with pytest.raises(IGRError, match=r"c\.yaml\.steps is '0x4'"):
        load_config(TrainConfig, path, ["seed=1"])
