"""The commands: check, fixture and pack."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from training.cli.app import app

Tree = Callable[[str], Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", *(str(one) for one in arguments)])


def test_check_reads_every_split_and_writes_sheets(tree: Tree, tmp_path: Path) -> None:
    done = run("check", tree("viton_hd"), "--sheet", tmp_path / "sheet.png", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "VITON-HD train" in done.stdout and "VITON-HD test" in done.stdout
    assert "All files are readable." in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet_test.png", "sheet_train.png"]
    done = run("check", tree("viton_hd"), "--split", "test", "--sheet", tmp_path / "one.png", "--mask", "garment")
    assert done.exit_code == 0 and (tmp_path / "one.png").exists() and "train" not in done.stdout


def test_check_lists_all_problems_and_exits_with_1(copy: Tree) -> None:
    root = copy("folder")
    (root / "person" / "look-002.jpg").write_bytes(b"x")
    (root / "mask" / "look-003.png").unlink()
    Image.new("RGB", (96, 128)).save(root / "person" / "stranger.jpg")
    done = run("check", root)
    assert done.exit_code == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("  wrong: ")]
    assert len(wrong) == 3 and "3 problems found." in done.stdout
    assert f"{root}/person/stranger.jpg is not listed in" in wrong[0]
    assert f"{root}/person/look-002.jpg is not a supported image" in wrong[1]
    assert f"{root}/mask/look-003.png does not exist" in wrong[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sheet", "sheet.pdf"], "does not name a supported image type"),
        (["--layout", "dresscode"], "train_pairs.txt does not exist"),
    ],
)
def test_mistakes_are_one_sentence(tree: Tree, arguments: list[str], said: str) -> None:
    done = run("check", tree("folder"), *arguments)
    assert done.exit_code == 1 and done.stderr.startswith("Error: ") and said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["--split", "val"], ["--mask", "mine"], ["--layout", "voc"], ["--kind", "painted"]]
)
def test_choices_are_checked_and_listed(tree: Tree, arguments: list[str]) -> None:
    done = run("check", tree("folder"), *arguments)
    listed = {"--split": "train", "--mask": "agnostic", "--layout": "viton_hd", "--kind": "drawn"}[arguments[0]]
    assert done.exit_code == 2 and arguments[1] in done.stderr and listed in done.stderr


def test_fixture_then_pack_then_check(tmp_path: Path) -> None:
    done = run("fixture", "streettryon", tmp_path / "street", "--count", 2, "--seed", 3, "--size", "72x96")
    assert done.exit_code == 0 and "StreetTryOn" in done.stdout
    done = run("pack", tmp_path / "street", tmp_path / "shards", "--pairs-per-tar", 1)
    assert done.exit_code == 0, done.output
    assert "shards/test: 2 pairs in 2 shards." in done.stdout
    done = run("check", tmp_path / "shards")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("2 pairs") == 2 and done.stdout.count("no flat garments") == 2
