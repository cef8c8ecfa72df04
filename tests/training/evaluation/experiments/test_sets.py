"""Experiments over several held-out sets, training seeds, steps and a baseline; pairs possibly trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from igr_core.errors import IGRError
from igr_core.model.pruning_config import NEAR
from igr_core.sampling.presets import Sampling
from tests.support.models.tiny import save_runnable
from training.base.config_files import load_config
from training.cli.app import app
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from training.data.layouts.tars import write_tars
from training.evaluation.experiments.compact import compact_scores
from training.evaluation.experiments.experiment import ExperimentConfig, lines, of_each_set
from training.evaluation.experiments.folder import experiment_results, experiment_table
from training.evaluation.images.claims import check_held_out

SIZE = (96, 128)


def drawn(count: int, start: int = 10_000_000) -> dict:
    return {"layout": "synthetic", "synthetic": {"start": start, "count": count, "size": list(SIZE)}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of two recipes with two training seeds each, and a second held-out set as shards."""
    place = tmp_path_factory.mktemp("sets")
    for recipe in ("full", "short"):
        for seed in (0, 1):
            (place / recipe / str(seed)).mkdir(parents=True)
            save_runnable(place / recipe / str(seed) / "bundle.safetensors")
    write_tars(SyntheticPairs(SyntheticConfig(10_000_100, 3, SIZE)), place / "shards")
    return place


def config(place: Path) -> dict:
    """Two recipes with two seeds each on two sets, the second compared with the first; few metrics."""
    return {
        "title": "Recipes",
        "sets": {"drawn": drawn(2), "stored": {"root": str(place / "shards")}},
        "protocol": "native",
        "metrics": ["ssim", "texture_agreement", "invented"],
        "controls": ["white"],
        "steps": 1,
        "baseline": "full",
        "rows": [
            {"name": name, "bundle": f"{place / name}/{{seed}}/bundle.safetensors", "seeds": [0, 1]}
            for name in ("full", "short")
        ],
    }


def run(settings: dict, out: Path, *words: str) -> tuple[int, str]:
    file = out.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    done = CliRunner().invoke(app, ["evaluate", "run", str(file), "--out", str(out), "--device", "cpu", *words])
    return done.exit_code, done.output


def test_recipes_of_two_seeds_are_compared_on_two_sets(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "recipes"
    code, output = run(config(place), out)
    assert code == 0, output
    for name, count in (("drawn", 2), ("stored", 3)):
        found = experiment_results(out / name)
        assert [one.name for one in found] == [
            *(f"{recipe}, seed {seed}" for recipe in ("full", "short") for seed in (0, 1)),
            "plain white",
        ]
        assert [one.known.get("training_seed") for one in found] == [0, 1, 0, 1, None]
        assert all(len(one.names) == count and one.silhouettes is not None for one in found)
        assert (out / name / "report" / "index.html").is_file()
    text = experiment_table(out)
    assert text in output and text.index("set `drawn`:") < text.index("set `stored`:")
    lines_of = [line for line in text.splitlines() if line.startswith("| short |")]
    assert len(lines_of) == 2 and all("+0.000 [+0.000, +0.000] (+0.000, +0.000)" in line for line in lines_of)
    # The scores of one bundle, for its own metadata: one entry for each set.
    weights = experiment_results(out / "drawn")[0].known["weights_sha256"]
    assert set(compact_scores(out, weights)) >= {"drawn, full, seed 0", "stored, short, seed 1"}
    again, _ = run(config(place), out)
    assert again == 0, "existing results are kept"


def test_steps_and_guidance_are_rows_and_curves(place: Path, tmp_path: Path) -> None:
    out, bundle = tmp_path / "grid", place / "full" / "0" / "bundle.safetensors"
    row = {"name": "IGR", "bundle": str(bundle), "steps": [1, 2], "guidance": [1.0, 1.5]}
    settings = {key: value for key, value in config(place).items() if key not in ("sets", "baseline", "controls")}
    code, output = run(settings | {"data": drawn(2), "rows": [row], "controls": []}, out)
    assert code == 0, output
    assert [one.row for one in experiment_results(out)] == [
        f"IGR, {steps} steps, guidance {guidance}" for steps in (1, 2) for guidance in ("1", "1.5")
    ]
    assert {(one.known["steps"], one.known["sampler"]) for one in experiment_results(out)} == {(1, "ddim"), (2, "ddim")}
    assert {path.name for path in (out / "report").glob("*.png")} >= {"guidance.png", "steps.png", "pairs.png"}
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "guidance.png" in page and "steps.png" in page


def test_a_row_in_bfloat16_is_restored_in_bfloat16_and_says_so(place: Path, tmp_path: Path) -> None:
    out, bundle = tmp_path / "half", place / "full" / "0" / "bundle.safetensors"
    rows = [{"name": "whole", "bundle": str(bundle)}, {"name": "half", "bundle": str(bundle), "precision": "bf16"}]
    settings = {key: value for key, value in config(place).items() if key not in ("sets", "baseline", "controls")}
    code, output = run(settings | {"data": drawn(2), "rows": rows, "controls": []}, out)
    assert code == 0, output
    assert [one.known.get("precision") for one in experiment_results(out)] == [None, "bf16"]
    whole, half = (sorted((out / "rows" / name / "pictures").glob("*.png")) for name in ("whole", "half"))
    assert len(whole) == 2 and all(a.read_bytes() != b.read_bytes() for a, b in zip(whole, half, strict=True))


def test_every_row_has_its_setting_in_its_name() -> None:
    data = {"title": "t", "data": drawn(2), "controls": []}
    rows = [{"name": "a", "bundle": "x/{seed}", "seeds": [3, 4], "steps": [5, 9]}, {"name": "b", "bundle": "y"}]
    found = lines(load(data | {"rows": rows}))
    assert [one.name for one in found] == [
        "a, 5 steps, seed 3", "a, 5 steps, seed 4", "a, 9 steps, seed 3", "a, 9 steps, seed 4", "b",
    ]  # fmt: skip
    assert [str(one.bundle_path) for one in found] == ["x/3", "x/4", "x/3", "x/4", "y"]
    assert [one.sampling and one.sampling.steps for one in found] == [5, 5, 9, 9, 25]
    both = load({**data, "rows": rows, "data": None, "sets": {"p": drawn(1), "q": drawn(2)}})
    assert {name: one.title for name, one in of_each_set(both).items()} == {"p": "t: p", "q": "t: q"}


def test_intervals_of_guidance_and_samplers_are_rows_too() -> None:
    row = {"name": "a", "bundle": "y", "guidance_interval": [[0, 1], [0.2, 0.6]], "sampler": ["ddim", "lcm"]}
    found = lines(load({"title": "t", "data": drawn(2), "controls": [], "rows": [row]}))
    assert [one.name for one in found] == [
        "a, from 0 to 1, ddim", "a, from 0 to 1, lcm", "a, from 0.2 to 0.6, ddim", "a, from 0.2 to 0.6, lcm",
    ]  # fmt: skip
    assert found[-1].sampling == Sampling(25, 1.5, 0.2, 0.6, "lcm")
    with pytest.raises(IGRError, match="the start must not be after the end"):
        load({"title": "t", "data": drawn(2), "controls": [], "rows": [row | {"guidance_interval": [[0.7, 0.2]]}]})


def test_margins_of_reference_tokens_are_rows_too() -> None:
    row = {"name": "a", "bundle": "y", "reference_margin": [None, 0, 2]}
    data = {"title": "t", "data": drawn(2), "controls": []}
    found = lines(load(data | {"rows": [row], "baseline": "a, all tokens"}))
    assert [one.name for one in found] == ["a, all tokens", "a, margin 0", "a, margin 2"]
    assert [one.pruning.margin for one in found] == [None, 0, 2]
    assert [one.pruning for one in lines(load(data | {"rows": [{"name": "a", "bundle": "y"}]}))] == [NEAR]
    with pytest.raises(IGRError, match="empty list of settings"):
        load(data | {"rows": [row | {"reference_margin": []}]})


@pytest.mark.parametrize("baseline", ["", "b"])
def test_a_table_of_settings_needs_a_baseline_that_is_a_row(baseline: str) -> None:
    row = {"name": "a", "bundle": "y"}
    with pytest.raises(IGRError, match="baseline"):
        load({"title": "t", "data": drawn(2), "controls": [], "rows": [row], "table": "settings", "baseline": baseline})


def load(data: dict) -> ExperimentConfig:
    path = Path(load.folder) / "one.yaml"  # type: ignore[attr-defined]
    path.write_text(json.dumps(data), encoding="utf-8")
    return load_config(ExperimentConfig, path)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    load.folder = tmp_path  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"data": None}, "needs either data or sets"),
        ({"sets": {"drawn": drawn(2)}}, "needs either data or sets"),
        ({"data": None, "sets": {"rows": drawn(2)}}, "cannot be used for a folder"),
        ({"data": None, "sets": {"a/b": drawn(2)}}, "cannot be used for a folder"),
        ({"controls": ["nearest"]}, "needs training pairs: set nearest, or nearest_of"),
        ({"nearest_of": {"drawn": drawn(2)}}, "must name every set"),
        ({"baseline": "who"}, "is not a row: choose a"),
        ({"baseline": "a", "table": "table2"}, "remove one of them"),
        ({"compared": ["beauty"]}, "Unknown metric 'beauty'"),
        ({"rows": [{"name": "a", "bundle": "x/{seed}"}]}, "needs unique training seeds"),
        ({"rows": [{"name": "a", "bundle": "x", "seeds": [0]}]}, "and any other path needs none"),
        ({"rows": [{"name": "a", "bundle": "x/{seed}", "seeds": [0, 0]}]}, "needs unique training seeds"),
        (
            {"rows": [{"name": n, "bundle": "x/{seed}", "seeds": seeds} for n, seeds in (("a", [0]), ("b", [0, 1]))]},
            "different training seeds",
        ),
        ({"rows": [{"name": "a", "bundle": "x", "steps": [0]}]}, r"steps\[0\] is 0: use a number from 1"),
        ({"rows": [{"name": "a", "bundle": "x", "sampler": ["dpm"]}]}, "must be one of 'ddim'"),
    ],
)
def test_mistakes_in_the_file_are_reported(change: dict, sentence: str) -> None:
    data = {"title": "t", "data": drawn(2), "controls": [], "rows": [{"name": "a", "bundle": "x"}]}
    with pytest.raises(IGRError, match=sentence):
        load(data | change)


def test_each_set_has_its_own_nearest_training_pairs() -> None:
    sets = {"a": drawn(2), "b": drawn(3)}
    data = {"title": "t", "sets": sets, "controls": ["nearest"], "rows": [{"name": "a", "bundle": "x"}]}
    near = {
        name: {"layout": "synthetic", "synthetic": {"start": start, "count": 2}} for name, start in (("a", 5), ("b", 7))
    }
    split = of_each_set(load(data | {"nearest_of": near}))
    starts = {name: one.nearest.synthetic.start for name, one in split.items() if one.nearest is not None}
    assert starts == {"a": 5, "b": 7}


def test_pairs_that_may_have_been_trained_on_are_refused(place: Path, tmp_path: Path) -> None:
    settings = {key: value for key, value in config(place).items() if key not in ("sets", "baseline")}
    code, output = run(settings | {"data": drawn(2, 9_999_999)}, tmp_path / "out")
    assert code == 1 and "seed-009999999" in output and "may have been used for training" in output.replace("\n", " ")
    assert not (tmp_path / "out").exists()
    write_tars(SyntheticPairs(SyntheticConfig(5, 1, SIZE)), tmp_path / "trained")
    code, output = run(settings | {"data": {"root": str(tmp_path / "trained")}}, tmp_path / "out")
    assert code == 1 and "may have been used for training" in output.replace("\n", " ")


def test_the_name_of_a_rendered_record_contains_its_seed() -> None:
    source = SyntheticPairs(SyntheticConfig(10_000_000, 1, SIZE))
    check_held_out(source)
    for name, fits in (("garment-010000000/photo-1", True), ("garment-000000007/photo-0", False), ("00006_00", True)):
        source.entries = (type(source.entries[0])(name, "upper"),)
        if fits:
            check_held_out(source)
        else:
            with pytest.raises(IGRError, match="set split to test"):
                check_held_out(source)


def test_a_damaged_list_of_sets_is_named(place: Path, tmp_path: Path) -> None:
    (tmp_path / "sets.json").write_text("{")
    with pytest.raises(IGRError, match=r"sets\.json is damaged"):
        experiment_table(tmp_path)
    shutil.rmtree(tmp_path)
