"""No command overwrites one of its inputs, even if the output is given by another name or through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from igr_core.errors import UsageError
from igr_core.included import INCLUDED_BUNDLE
from training.base.outputs import check_bundle_kept, check_kept, check_parts_kept
from training.cli.app import app


def test_an_input_is_found_under_other_names_and_through_links(tmp_path: Path) -> None:
    part = tmp_path / "vae.safetensors"
    part.write_bytes(b"weights")
    part.with_suffix(".json").write_text("{}")
    os.symlink(part, tmp_path / "link")
    for out in (part, tmp_path / "x" / ".." / "vae.safetensors", tmp_path / "link", part.with_suffix(".json")):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match="--out .* would overwrite an input of the command: choose another --out"):
            check_parts_kept(out, "--out", [None, part])
    check_parts_kept(tmp_path / "new", "--out", [part])
    check_kept(tmp_path / "x", "--out", [tmp_path / "none"])


def test_a_bundle_may_only_replace_a_bundle_in_an_input_folder(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    checkpoint, earlier = tmp_path / "checkpoints" / "1.pt", tmp_path / "igr.safetensors"
    checkpoint.write_bytes(b"")
    earlier.write_bytes(INCLUDED_BUNDLE.read_bytes())
    with pytest.raises(UsageError, match=r"1\.pt would overwrite a file of "):
        check_bundle_kept(checkpoint, [], [tmp_path])
    check_bundle_kept(earlier, [], [tmp_path])
    check_bundle_kept(tmp_path / "new.safetensors", [], [tmp_path])
    with pytest.raises(UsageError, match="would overwrite an input"):
        check_bundle_kept(earlier, [earlier], [tmp_path])


def test_commands_refuse_outputs_that_are_inputs_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "data" / "person").mkdir(parents=True)
    photo, config = tmp_path / "data" / "person" / "a.jpg", tmp_path / "pairs.yaml"
    for file in (photo, config):
        file.write_text("kept")
    page = tmp_path / "page.md"
    page.write_text("kept")
    (tmp_path / "experiment").mkdir()
    described = tmp_path / "experiment" / "experiment.json"
    described.write_text("kept")
    bundle, data = str(INCLUDED_BUNDLE), str(tmp_path / "data")
    for words in (
        ["demo", "--data", data, "--page-image", str(photo), "--out", str(tmp_path / "out")],
        ["data", "check", data, "--sheet", str(photo)],
        ["detail", "cost", bundle, "--data", str(config), "--out", str(config)],
        ["detail", "lettering", bundle, "--data", str(config), "--out", str(config)],
        ["detail", "measure", bundle, "--pairs", data, "--out", str(photo)],
        ["detail", "fit", bundle, "--pairs", data, "--out", str(photo)],
        ["evaluate", "run", str(described), "--out", str(described.parent)],
        ["evaluate", "tables", data, "--into", str(page), "--out", str(page)],
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2 and "would overwrite" in done.stderr, (words, done.output)
    assert [file.read_text() for file in (photo, config, page, described)] == ["kept"] * 4


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["demo", "--page-image", "sheet.png"], ".jpg or .jpeg"),
        (["evaluate", "curves", "run", "--out", "curves.jpg"], ".png"),
        (["evaluate", "robustness", "plot", "plot.json"], ".png"),
        (["evaluate", "robustness", "examples", "run", "examples.png"], ".jpg or .jpeg"),
        (["detail", "sheet", "b", "--data", "d", "--out", "sheet.gif"], ".png or .jpg or .jpeg"),
        (["detail", "lettering", "b", "--data", "d", "--sheet", "sheet"], ".png or .jpg or .jpeg"),
    ],
    ids=lambda words: " ".join(words[:2]) if isinstance(words, list) else "",
)
def test_an_image_is_not_written_under_the_extension_of_another_format(words: list[str], wanted: str) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2 and f"wrong extension for this image: use {wanted}." in done.stderr, done.output
