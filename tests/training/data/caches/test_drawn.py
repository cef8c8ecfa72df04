"""The cache of drawn pairs: seeds to bytes, growing, resuming, bad folders."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.inputs import parse_size
from training.cli.app import app
from training.cli.drawing import draw as draw_command
from training.data.caches import drawn
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import FIELDS, DrawnPairs, draw, draw_shards
from training.data.files.code_hash import code_text

TINY = DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16)


def test_a_seed_always_gives_the_same_bytes() -> None:
    first, second = draw(3, TINY), draw(3, TINY)
    assert first.label == second.label
    for name in FIELDS:
        assert np.array_equal(first.pictures[name], second.pictures[name])


def test_folder_grows_and_keeps_whole_shards(tmp_path: Path) -> None:
    assert draw_shards(tmp_path, 3, 10, TINY, workers=1, shard_size=2) == 3
    whole = tmp_path / "pairs-000000010.safetensors"
    before = whole.stat().st_mtime_ns
    assert draw_shards(tmp_path, 5, 10, TINY, workers=1, shard_size=2) == 3  # the half-full shard again, and one more
    assert whole.stat().st_mtime_ns == before
    pairs = DrawnPairs(tmp_path)
    assert pairs.seeds == [10, 11, 12, 13, 14]
    assert draw_shards(tmp_path, 5, 10, TINY, workers=1, shard_size=2) == 0


def test_images_and_labels_belong_together(tmp_path: Path) -> None:
    draw_shards(tmp_path, 3, 0, TINY, workers=1, shard_size=2)
    pairs = DrawnPairs(tmp_path)
    expected = draw(2, TINY)
    for name in FIELDS:
        assert torch.equal(pairs.take(name, [2])[0], torch.from_numpy(expected.pictures[name]))
    assert pairs.categories[2] == expected.label["category"]
    assert pairs.visible[2] == expected.label["visible"]
    assert pairs.take("person", [0, 2]).shape == (2, 3, 32, 24)
    assert pairs.take("mask", [0, 2]).shape == (2, 1, 32, 24)
    assert pairs.take("crop", [1]).shape == (1, 3, 16, 16)
    assert len(DrawnPairs(tmp_path, limit=1)) == 1


def test_workers_draw_the_same_as_one_process(tmp_path: Path) -> None:
    draw_shards(tmp_path / "one", 2, 0, TINY, workers=1, shard_size=2)
    draw_shards(tmp_path / "two", 2, 0, TINY, workers=2, shard_size=2)
    one, two = DrawnPairs(tmp_path / "one"), DrawnPairs(tmp_path / "two")
    assert (one.seeds, one.attributes) == (two.seeds, two.attributes)
    assert all(torch.equal(one.take(name, range(2)), two.take(name, range(2))) for name in FIELDS)


def test_interruption_leaves_whole_shards_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = drawn.draw

    def killed(seed: int, config: DrawConfig) -> drawn.Drawn:
        if seed == 3:
            raise KeyboardInterrupt
        return real(seed, config)

    monkeypatch.setattr(drawn, "draw", killed)
    with pytest.raises(KeyboardInterrupt):
        draw_shards(tmp_path, 4, 0, TINY, workers=1, shard_size=2)
    assert [path.name for path in tmp_path.iterdir()] == ["pairs-000000000.safetensors"]
    monkeypatch.setattr(drawn, "draw", real)
    assert draw_shards(tmp_path, 4, 0, TINY, workers=1, shard_size=2) == 2


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="no drawn pairs"):
        DrawnPairs(tmp_path)
    draw_shards(tmp_path, 1, 0, TINY, workers=1, shard_size=1)
    with pytest.raises(IGRError, match="different settings"):
        draw_shards(tmp_path, 1, 0, DrawConfig(size=(48, 64), photo_size=(48, 64)), workers=1, shard_size=1)
    shard = next(tmp_path.iterdir())
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(IGRError, match=shard.name):
        DrawnPairs(tmp_path)


def test_folder_of_another_generator_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_shards(tmp_path, 1, 0, TINY, workers=1, shard_size=1)
    monkeypatch.setattr(drawn, "fingerprint", lambda: "edited")
    with pytest.raises(IGRError, match="another version of the generator"):
        draw_shards(tmp_path, 2, 0, TINY, workers=1, shard_size=1)
    assert len(list(tmp_path.iterdir())) == 1


def test_fingerprint_depends_on_the_code_but_not_on_its_formatting() -> None:
    code = '"""Doc."""\nY = "a"\n"""Doc."""\ndef f(x: int = 3) -> int:\n    """Doc."""\n    return [x, None][0] + 1\n'
    same = '# comment\nY = "a"\ndef f(\n    x: int=3,\n) -> int:\n    return [x, None][0] + 1  # why\n'
    assert code_text(code) == code_text(same)
    for other in (
        code.replace("+ 1", "+ 2"),
        code.replace("[0]", "[1]"),
        code.replace("= 3", "= 4"),
        code.replace('"a"', '"b"'),
    ):
        assert code_text(other) != code_text(code)


def test_fingerprint_ignores_the_wording_of_errors_but_not_their_kind() -> None:
    code = 'def f(x):\n    if x > 1:\n        raise ValueError(f"{x} is wrong")\n'
    assert code_text(code) == code_text(code.replace("is wrong", "is not right"))
    assert code_text(code) != code_text(code.replace("ValueError", "KeyError"))
    assert code_text(code) != code_text(code.replace("x > 1", "x > 2"))


def test_options_of_the_command_reach_the_pairs(tmp_path: Path) -> None:
    size = ["--size", "96x128", "--photo-size", "96x128", "--view", "whole", "--margin", "0.5", "--crop", "32"]
    draw = ["data", "draw", "--count", "1", "--out"]
    done = CliRunner().invoke(app, [*draw, str(tmp_path / "a"), "--workers", "1", *size])
    assert done.exit_code == 0, done.output
    assert DrawnPairs(tmp_path / "a").config == DrawConfig((96, 128), (96, 128), ViewConfig("whole", 0.5), 32)
    for option, value, words in (
        ("--photo-size", "100x100", "3:4"),
        ("--size", "wide", "is not valid"),
        ("--view", "near", "is not one of 'whole'"),
    ):
        done = CliRunner().invoke(app, [*draw, str(tmp_path / "b"), option, value])
        assert done.exit_code and words in " ".join(done.output.split()) and not (tmp_path / "b").exists()


def test_command_draws_as_the_defaults_say() -> None:
    options = inspect.signature(draw_command).parameters
    default = DrawConfig()
    assert parse_size(options["size"].default, 1) == default.size
    assert parse_size(options["photo_size"].default, 1) == default.photo_size
    assert ViewConfig(options["view"].default, options["margin"].default) == default.view
    assert options["crop"].default == default.crop_size


def test_a_folder_is_not_extended_with_shards_that_overlap_its_own(tmp_path: Path) -> None:
    draw_shards(tmp_path, 4, 0, TINY, workers=1, shard_size=3)
    with pytest.raises(IGRError, match="pairs-000000003.safetensors already contains some of these pairs.*shard-size"):
        draw_shards(tmp_path, 5, 0, TINY, workers=1)
    assert len(DrawnPairs(tmp_path)) == 4
    assert draw_shards(tmp_path, 5, 0, TINY, workers=1, shard_size=3) == 2  # the last shard is drawn again
    assert DrawnPairs(tmp_path).seeds == [0, 1, 2, 3, 4]
