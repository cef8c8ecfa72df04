"""The curation command on drawn pairs: scores, resuming, unreadable pairs, and training on the selected pairs."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.base.config_files import load_config
from training.cli.app import app
from training.curation.manifest import read_manifest
from training.data.fixtures import write_fixture
from training.data.opening import DataSetConfig, open_data_set
from training.prepared.selection import PairsConfig, selected_pairs

CONFIG = """
data:
  layout: synthetic
  synthetic: {start: 30000, count: 12, size: [96, 128], bad_share: 0.5}
"""


def run(*options: object):
    return CliRunner().invoke(app, ["curate", *(str(option) for option in options)])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.yaml"
    path.write_text(CONFIG)
    return path


def test_score_of_a_config_then_selection(config, tmp_path):
    out = tmp_path / "out"
    result = run("score", config, "--out", out, "--workers", 1, "--share", 0.25)
    assert result.exit_code == 0, result.output
    manifest = read_manifest(out)
    assert len(manifest.rows) == 12 and 0 < len(manifest.hqft_names()) <= 4
    assert len(list((out / "thumbs").iterdir())) == 12 and (out / "index.html").exists()
    pairs = PairsConfig(DataSetConfig(layout="synthetic"), str(out), "hqft")
    source = open_data_set(load_config(PairsConfig, config).data)
    chosen = selected_pairs(source, pairs)
    assert [source.entries[one.index].name for one in chosen] == manifest.hqft_names()


def test_a_stopped_run_resumes(config, tmp_path):
    out = tmp_path / "out"
    assert run("score", config, "--out", out, "--workers", 1).exit_code == 0
    whole, manifest = (out / "scores.jsonl").read_text(), (out / "manifest.csv").read_text()
    lines = whole.splitlines(keepends=True)
    (out / "scores.jsonl").write_text("".join(lines[:6]) + lines[6][:20])  # killed while writing
    assert run("score", config, "--out", out, "--workers", 2).exit_code == 0
    assert sorted((out / "scores.jsonl").read_text().splitlines()) == sorted(whole.splitlines())
    assert (out / "manifest.csv").read_text() == manifest


def test_manual_decisions_are_kept_when_scoring_again(config, tmp_path):
    out = tmp_path / "out"
    run("score", config, "--out", out, "--workers", 1)
    best = read_manifest(out).rows[0].name
    decided = tmp_path / "decisions.json"
    decided.write_text(json.dumps({"decisions": {best: "drop"}}))
    assert run("apply", out, decided).exit_code == 0
    assert best not in read_manifest(out).kept_names()
    assert run("score", config, "--out", out, "--workers", 1, "--share", 0.5).exit_code == 0
    assert best not in read_manifest(out).kept_names()


def test_scores_of_another_data_set_are_not_mixed_in(config, tmp_path):
    out = tmp_path / "out"
    run("score", config, "--out", out, "--workers", 1)
    config.write_text(CONFIG.replace("30000", "31000"))
    result = run("score", config, "--out", out, "--workers", 1)
    assert result.exit_code == 1 and "another data set" in result.output


def test_decisions_about_other_pairs_are_refused(config, tmp_path):
    out = tmp_path / "out"
    run("score", config, "--out", out, "--workers", 1)
    decided = tmp_path / "decisions.json"
    decided.write_text(json.dumps({"decisions": {"somebody": "drop"}}))
    result = run("apply", out, decided)
    assert result.exit_code == 1 and "somebody" in result.output


def test_unreadable_pairs_are_listed_and_the_others_ranked(tmp_path):
    root = tmp_path / "set"
    write_fixture("viton_hd", root, 4, 0, (96, 128))
    broken = sorted((root / "train" / "image").iterdir())[1]
    broken.write_bytes(b"no picture")
    result = run("score", root, "--out", tmp_path / "out", "--workers", 1)
    assert result.exit_code == 1
    assert broken.name in result.output and "1 of 4 pairs cannot be read" in result.output
    assert len(read_manifest(tmp_path / "out").rows) == 3
    shutil.copy(sorted((root / "train" / "image").iterdir())[0], broken)  # the file has been repaired
    assert run("score", root, "--out", tmp_path / "out", "--workers", 1).exit_code == 0
    assert len(read_manifest(tmp_path / "out").rows) == 4


def test_settings_of_a_file(config, tmp_path):
    settings = tmp_path / "strict.yaml"
    settings.write_text("truncated: 0.0001\nside_view: 0.01\n")
    assert run("score", config, "--out", tmp_path / "strict", "--workers", 1, "--settings", settings).exit_code == 0
    assert run("score", config, "--out", tmp_path / "usual", "--workers", 1).exit_code == 0
    strict, usual = (set(read_manifest(tmp_path / name).kept_names()) for name in ("strict", "usual"))
    assert strict < usual
    settings.write_text("truncated: 2.0\n")
    result = run("score", config, "--out", tmp_path / "wrong", "--workers", 1, "--settings", settings)
    assert result.exit_code == 1 and "truncated is 2" in result.output
