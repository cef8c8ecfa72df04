"""The commands: check, fixture and pack."""

import tarfile
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
def test_mistakes_are_reported_in_one_sentence(tree: Tree, arguments: list[str], said: str) -> None:
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


def test_a_single_problem_pair_or_shard_is_counted_as_one(copy: Tree, tmp_path: Path) -> None:
    root = copy("folder")
    (root / "person" / "look-002.jpg").write_bytes(b"x")
    assert "\n1 problem found." in run("check", root).stdout
    assert run("pack", copy("viton_hd"), tmp_path, "--split", "test", "--limit", 1).stdout.endswith(
        ": 1 pair in 1 shard.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--photo-size", "10x10"), "--photo-size 10x10 cannot be used: both sides must be from 64 to 2048."),
        (("--size", "a"), "--size 'a' is not valid: write width x height in pixels"),
    ],
)
def test_a_wrong_size_names_its_option(arguments: tuple[str, str], said: str, tmp_path: Path) -> None:
    done = run("draw", "--out", tmp_path / "out", "--count", 1, *arguments)
    assert done.exit_code == 2 and done.stderr.startswith(f"Error: {said}"), done.output
    assert not (tmp_path / "out").exists()


def test_draw_does_not_mix_training_and_held_out_seeds(tmp_path: Path) -> None:
    done = run("draw", "--out", tmp_path / "out", "--count", 4, "--start", 9_999_998)
    assert done.exit_code == 2 and not (tmp_path / "out").exists()
    assert "Seeds 9999998 to 10000001 are partly held out: stay below 10000000 to train" in done.stderr


def test_draw_counts_only_the_pairs_that_it_adds(tmp_path: Path) -> None:
    options = ("--out", tmp_path, "--size", "96x128", "--photo-size", "96x128", "--crop", 16, "--workers", 1)
    for count, said, noted in (
        (2, "2 pairs, 2 new.", False),
        (3, "3 pairs, 1 new.", False),
        (1, "3 pairs, 0 new", True),
    ):
        done = run("draw", *options, "--count", count)
        assert done.exit_code == 0 and said in done.stdout, done.output
        assert ("already contains more pairs than --count 1, and all of them are used" in done.stderr) == noted


def test_a_sample_without_a_garment_is_named_by_check_and_refused_by_pack(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with tarfile.open(tree("tars") / "shard-000000.tar") as whole, tarfile.open(tmp_path / "in" / "s.tar", "w") as tar:
        *_, left_out = (name for name in whole.getnames() if name.endswith(".garment.jpg"))
        for member in whole:
            if member.name != left_out:
                tar.addfile(member, whole.extractfile(member))
    done = run("check", tmp_path / "in")
    assert done.exit_code == 1 and f"{left_out[:-12]} has no garment: add {left_out}, or" in done.stdout, done.output
    assert "1 problem found." in done.stdout
    done = run("pack", tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 1 and f"s.tar:{left_out} cannot be found in the shards" in done.stderr
    assert not (tmp_path / "out").exists()


def test_all_splits_are_checked_before_one_is_packed(tree: Tree, tmp_path: Path) -> None:
    assert run("pack", tree("viton_hd"), tmp_path, "--split", "test").exit_code == 0
    done = run("pack", tree("viton_hd"), tmp_path, "--mask", "garment")
    assert done.exit_code == 1 and "was packed with other options" in done.stderr
    assert not (tmp_path / "train").exists()
