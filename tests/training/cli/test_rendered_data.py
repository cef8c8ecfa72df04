"""The commands around rendered records: render, held-out, sheet, draw, check and pack."""

import functools
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.cli.app import app
from training.data.caches.drawn import DrawnPairs
from training.data.files.tar_index import index_tar
from training.data.layouts.tars import TarPairs
from training.data.rendered import held_out
from training.data.rendered.agreement import QUANTILES
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate
from training.data.rendered.records.shards import RecordShards
from training.data.rendered.studio.storing import decode_correspondence

SIZE = (72, 96)
quick = functools.partial(generate, maker=stand_in.make_record)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", *(str(one) for one in arguments)])


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four garments with seven photos."""
    folder = tmp_path_factory.mktemp("records")
    quick(folder, range(4), RenderSettings(SIZE), 1)
    return folder


def test_render_makes_records_and_counts_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.rendered.generating.generate.generate", quick)
    options = ["--garments", 12, "--size", "72x96", "--photos", 2, "--workers", 1, "--per-shard", 5, "--samples", 4]
    done = run("render", tmp_path, *options)
    assert done.exit_code == 0, done.output
    assert (
        "11 garments with 22 photos; 7 of 40 shots rejected (17.5%), in this run: poke-through 5, garment hidden 2."
        in (" ".join(done.stdout.split()))
    )
    assert RecordShards(str(tmp_path)).stamp.settings == RenderSettings(SIZE, 2.0, samples=4)
    done = run("render", tmp_path, *options[:-2])
    assert done.exit_code == 1 and "was rendered with different settings" in done.stderr
    done = run("render", tmp_path / "held-out", *options, "--start", 10_000_000)
    assert done.exit_code == 0 and RecordShards(str(tmp_path / "held-out")).stamp.settings.held_out


def test_the_held_out_set_is_one_small_tar_with_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "generate", quick)
    settings = RenderSettings(SIZE, photos=1, held_out=True)
    path, digest = held_out.write_held_out(tmp_path, 5, 1, settings=settings)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    pairs = TarPairs(str(path))
    assert len(pairs) == 5 and pairs.person(0).size == pairs.garment(0).size == held_out.SIZE
    assert pairs.parsing(0).garment("upper").any() and pairs.keypoints(0).joints["neck"].x == held_out.SIZE[0] / 2
    index = index_tar(str(path))
    flow = decode_correspondence(index.read(next(iter(index.samples)), "flow"))
    assert flow.shape == (32, 24, 2) and np.isfinite(flow).any()
    before = path.read_bytes()
    assert held_out.write_held_out(tmp_path, 5, 1, settings=settings)[1] == digest
    assert path.read_bytes() == before


def test_skipped_held_out_seeds_are_replaced_unless_most_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "generate", quick)
    settings = RenderSettings(SIZE, photos=1, held_out=True)
    path, _ = held_out.write_held_out(tmp_path / "one", 1, 1, settings=settings)  # the first seed is skipped
    assert [entry.name for entry in TarPairs(str(path)).entries] == ["garment-010000001/photo-0"]
    none = functools.partial(generate, maker=lambda *_: (None, Counter({"hidden": 1})))
    monkeypatch.setattr(held_out, "generate", none)
    with pytest.raises(IGRError, match="More than half of the held-out garments in .* could not be rendered"):
        held_out.write_held_out(tmp_path / "none", 2, 1, settings=settings)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--kind", "rendered", "--count", 3], ["rendered_clean_00000.png"]),
        (["--kind", "mixed", "--count", 4, "--seed", 2], ["rendered_clean_00002.png", "sheet_clean_00002.png"]),
        (["--kind", "rendered", "--show", "dressings", "--count", 5], ["dressings_00000.png"]),
        (["--kind", "rendered", "--show", "photos", "--count", 2], ["photos_00000.png"]),
    ],
)
def test_sheets_show_pairs_dressings_and_photos(
    records: Path, tmp_path: Path, options: list[object], names: list[str]
) -> None:
    done = run("sheet", "--out", tmp_path, "--records", records, "--width", 48, *options)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    with Image.open(tmp_path / names[0]) as sheet:
        assert sheet.width >= 3 * 2 * 48


def test_draw_dresses_records_and_mixes_them_with_drawn_pairs(records: Path, tmp_path: Path) -> None:
    options = ["--size", "72x96", "--photo-size", "72x96", "--crop", 16, "--workers", 1, "--records", records]
    done = run("draw", "--out", tmp_path / "rendered", "--count", 8, "--kind", "rendered", *options)
    assert done.exit_code == 0, done.output
    assert DrawnPairs(tmp_path / "rendered").names[6:] == [
        "garment-000000003/photo-0",
        "garment-000000000/photo-0/dress-1",
    ]
    done = run("draw", "--out", tmp_path / "mixed", "--count", 4, "--kind", "mixed", "--rendered-share", 0.25, *options)
    assert done.exit_code == 0, done.output
    assert [name.split("-")[0] for name in DrawnPairs(tmp_path / "mixed").names] == ["seed"] * 3 + ["garment"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["sheet", "--out", "x", "--kind", "rendered"],
            "needs --records DIR: render them with `python -m training data render",
        ),
        (["sheet", "--out", "x", "--kind", "rendered", "--records", "none"], "none contains no rendered records"),
        (["render", "x", "--garments", 2, "--photos", 0.5], "0.5 photos per garment cannot be rendered"),
        (["render", "x", "--garments", 2, "--size", "100x100"], "use a 3:4 size"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(arguments: list[object], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 1 and done.stderr.startswith("Error: ") and said in done.stderr
    assert done.stderr.count("\n") == 1


def test_agreement_dresses_photos_again_for_enough_pairs_and_lists_the_worst(records: Path) -> None:
    done = run("agreement", records, "--pairs", 9, "--worst", 2)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("9 pairs, ")
    assert [line[:18].strip() for line in lines[1:6]] == [
        "pixels", "pixels inside", "pixels at edges", "pairs' medians", "pairs' means",
    ]  # fmt: skip
    assert all(len(line[18:].split()) == len(QUANTILES) for line in lines[1:6])
    medians = [float(line.split("median ")[1].split(",")[0]) for line in lines[6:]]
    assert len(medians) == 2 and medians == sorted(medians, reverse=True)
    assert all(line.startswith("seed ") for line in lines[6:])


def test_draw_without_records_says_how_to_make_them(tmp_path: Path) -> None:
    done = run("draw", "--out", tmp_path, "--count", 1, "--kind", "rendered")
    assert done.exit_code == 1 and "needs --records DIR" in done.stderr


def test_check_and_pack_take_rendered_drawn_and_mixed_pairs(records: Path, tmp_path: Path) -> None:
    done = run("check", records, "--kind", "rendered", "--sheet", tmp_path / "sheet.png")
    assert done.exit_code == 0 and "(rendered): 7 pairs" in done.stdout, done.output
    for kind, root, layouts in (
        ("drawn", "3..5", {"seed": 3}),
        ("mixed", f"3..4+{records}", {"seed": 2, "garment": 7}),
    ):
        done = run("pack", root, tmp_path / kind, "--kind", kind, "--size", "72x96")
        assert done.exit_code == 0, done.output
        names = [entry.name.split("-")[0] for entry in TarPairs(str(tmp_path / kind / "train")).entries]
        assert {name: names.count(name) for name in names} == layouts


def test_fixtures_can_be_rendered(records: Path, tmp_path: Path) -> None:
    for layout in ("folder", "viton_hd"):
        out = tmp_path / layout
        done = run("fixture", layout, out, "--kind", "rendered", "--records", records, "--count", 1, "--size", "72x96")
        assert done.exit_code == 0, done.output
        assert run("check", out).exit_code == 0
