"""Evidence from end to end on a tiny bundle: rows, resume, tables between markers, curves, and the shipped configs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

import training.evaluation.evidence.rows as scoring
from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle, save_bundle
from igr_core.model.config import ImagePromptConfig
from igr_core.model.igr import IGR
from igr_core.restore.restorer import GarmentRestorer
from tests.support.models.tiny import INFO, MODEL, save_runnable
from training.base.config_files import load_config
from training.base.train_config import TrainConfig
from training.cli.app import app
from training.data.caches.drawn import HELD_OUT_START, DrawConfig, draw_shards
from training.evaluation.evidence.rows import HeldOut, pairs_seen, read_rows, score_bundle, steps_trained
from training.evaluation.evidence.tables import results_table
from training.evaluation.tables.markdown import fill_markers

CONFIGS = Path(__file__).parents[4] / "training" / "configs"
COUNT = 5
runner = CliRunner()


def run(*arguments: object) -> str:
    done = runner.invoke(app, ["evidence", *(str(one) for one in arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def prepare(folder: Path, start: int) -> None:
    """Prepared pairs of made-up features beside drawn ones."""
    draw_shards(folder, COUNT, start, DrawConfig((48, 64), (96, 128), crop_size=32), workers=1)
    tensors = {
        "garment_latent": torch.zeros(COUNT, 4, 8, 6),
        "person_latent": torch.zeros(COUNT, 4, 8, 6),
        "mask": torch.zeros(COUNT, 1, 8, 6),
        "image_features": torch.randn(COUNT, 16, generator=torch.Generator().manual_seed(start)),
        "category": torch.zeros(COUNT, dtype=torch.uint8),
        "seed": torch.arange(start, start + COUNT),
    }
    save_file(tensors, folder / "latents-0.safetensors", metadata={"settings": "{}"})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evidence")
    save_runnable(place / "tiny.safetensors")
    prepare(place / "heldout", HELD_OUT_START)
    return place


@pytest.fixture(scope="module")
def scored(place: Path) -> Path:
    """The row of the tiny bundle, with its pictures."""
    out = place / "tiny.json"
    run("score", "--bundle", place / "tiny.safetensors", "--heldout", place / "heldout", "--count", COUNT,
        "--steps", 2, "--out", out, "--pictures", place / "pictures")  # fmt: skip
    return out


def test_a_row_says_all_that_a_table_needs(place: Path, scored: Path) -> None:
    (row,) = read_rows([scored])
    assert (row.name, row.kind, row.n, row.guidance, row.steps) == ("tiny", "bundle", COUNT, 1.5, 2)
    assert row.weights_sha256 and row.revision and row.training_steps == 0 and row.pairs_seen is None
    assert row.seeds == tuple(range(HELD_OUT_START, HELD_OUT_START + COUNT))
    for found in row.metrics.values():
        assert len(found.values) == COUNT and found.low <= found.mean <= found.high
    assert sorted(path.name for path in (place / "pictures").iterdir()) == [f"{seed}.png" for seed in row.seeds]
    assert not list(place.glob("*.part"))


def test_an_interrupted_run_goes_on_and_gives_the_same_row(
    place: Path, scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BATCH", 2)
    restored: list[int] = []
    restore = GarmentRestorer.restore

    def interrupted(self: GarmentRestorer, view, category, **options):  # noqa: ANN001, ANN202
        if len(restored) == 2:
            restored.append(-1)
            raise KeyboardInterrupt
        restored.append(options["seed"])
        return restore(self, view, category, **options)

    monkeypatch.setattr(GarmentRestorer, "restore", interrupted)
    held_out = HeldOut(place / "heldout", COUNT)

    def go() -> scoring.Row:
        bundle, partial = place / "tiny.safetensors", tmp_path / "part"
        return score_bundle(bundle, held_out, partial, name="tiny", guidance=1.5, steps=2)

    with pytest.raises(KeyboardInterrupt):
        go()
    row, (whole,) = go(), read_rows([scored])
    assert restored == [0, 2, -1, 4], "batches that were done are not restored again"
    for name, found in row.metrics.items():
        assert found.values == pytest.approx(whole.metrics[name].values, abs=2e-3), "batch size does not matter"


def test_a_partial_file_of_another_protocol_is_not_taken_over(place: Path, scored: Path, tmp_path: Path) -> None:
    held_out = HeldOut(place / "heldout", COUNT)
    bundle, partial = place / "tiny.safetensors", tmp_path / "part"
    first = score_bundle(bundle, held_out, partial, name="tiny", guidance=1.0, steps=1)
    saved = json.loads(partial.read_text())
    saved["values"] = {name: [0.5] * COUNT for name in saved["values"]}
    partial.write_text(json.dumps(saved))
    other = score_bundle(bundle, held_out, partial, name="tiny", guidance=1.0, steps=1, noise_seed=9)
    assert other.metrics["ssim"].values != (0.5,) * COUNT and first.noise_seed == 0 and other.noise_seed == 9


@pytest.mark.parametrize("lacking", ["garmnet", "image_prompt"])
def test_ablated_bundles_are_scored_too(place: Path, tmp_path: Path, lacking: str) -> None:
    whole = Bundle.open(place / "tiny.safetensors")
    left_out = {lacking, "image_encoder"} if lacking == "image_prompt" else {lacking}
    parts = {one["part"]: whole.tensors(one["part"]) for one in whole.summary() if one["part"] not in left_out}
    info = dataclasses.replace(INFO, model=dataclasses.replace(MODEL, **{lacking: None}))
    save_bundle(tmp_path / "ablated.safetensors", info, parts)
    held_out = HeldOut(place / "heldout", 2)
    row = score_bundle(
        tmp_path / "ablated.safetensors", held_out, tmp_path / "part", name=lacking, guidance=1.5, steps=1
    )
    assert row.n == 2


def test_controls_sweep_and_tables(place: Path, scored: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "train", 0)
    controls, sweep = tmp_path / "controls.json", tmp_path / "sweep.json"
    run("controls", "--heldout", place / "heldout", "--heldout-latents", place / "heldout", "--train",
        tmp_path / "train", "--latents", tmp_path / "train", "--count", COUNT, "--out", controls)  # fmt: skip
    run("sweep", "--bundle", place / "tiny.safetensors", "--heldout", place / "heldout", "--count", COUNT,
        "--steps", 1, "--guidance", "1.0,2.0", "--out", sweep)  # fmt: skip
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- evidence:results -->\nold\n<!-- /evidence:results -->\nafter\n")
    text = run("table", scored, controls, "--against", "tiny", "--out", tmp_path / "results.md", "--into", page)
    names = ["tiny", "plain white", "worn garment pasted", "nearest training garment"]
    assert [line.split(" | ")[0][2:] for line in text.splitlines()[2:6]] == names
    assert "texture lead of tiny" in text and f"over {COUNT} held-out pairs" in text
    assert page.read_text() == f"before\n<!-- evidence:results -->\n{text.strip()}\n<!-- /evidence:results -->\nafter\n"
    guided = run("table", sweep, "--by-guidance", "--out", tmp_path / "guidance.md")
    assert [line[:6] for line in guided.splitlines()[2:4]] == ["| 1.0 ", "| 2.0 "]
    assert run("table", sweep, "--by-guidance", "--out", tmp_path / "again.md") == guided


def test_curves_are_drawn(tmp_path: Path) -> None:
    lines = ["step,metric,value"]
    lines += [f"{step},{name},{1 / step}" for step in (10, 20, 30) for name in ("loss", "validation/full")]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    run("curves", tmp_path, tmp_path, "--out", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_one_sentence(place: Path, scored: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    for arguments, words in (
        (["table", broken, "--out", tmp_path / "t.md"], "broken.json holds no rows"),
        (["table", scored, "--against", "who", "--out", tmp_path / "t.md"], "0 rows are called 'who'"),
        (["curves", tmp_path / "nowhere", "--out", tmp_path / "c.png"], "has no metrics.csv"),
        (
            ["score", "--bundle", broken, "--heldout", place / "heldout", "--count", 99, "--out", broken],
            "99 were asked",
        ),
    ):
        done = runner.invoke(app, ["evidence", *(str(one) for one in arguments)])
        assert done.exit_code == 1 and words in done.output.replace("\n", " ")


def test_rows_over_other_pairs_are_refused(scored: Path, tmp_path: Path) -> None:
    data = json.loads(scored.read_text())
    data["rows"][0]["pairs_sha256"] = "other"
    (tmp_path / "other.json").write_text(json.dumps(data))
    with pytest.raises(IGRError, match="different pairs"):
        read_rows([scored, tmp_path / "other.json"])


def test_pairs_that_may_have_been_trained_on_are_refused(tmp_path: Path) -> None:
    draw_shards(tmp_path, 2, 0, DrawConfig((48, 64), (96, 128), crop_size=32), workers=1)
    with pytest.raises(IGRError, match="held-out pairs start"):
        HeldOut(tmp_path, 2)


@pytest.mark.parametrize("text", ["", "<!-- evidence:a -->", "<!-- /evidence:a --><!-- evidence:a -->"])
def test_pages_without_their_markers_stay_as_they_were(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(IGRError, match="evidence:a"):
        fill_markers(page, "a", "table")
    assert page.read_text() == text


def test_lead_of_a_row_is_paired(scored: Path) -> None:
    (row,) = read_rows([scored])
    found = row.metrics["texture_agreement"]
    worse = dataclasses.replace(found, values=tuple(value - 0.1 for value in found.values))
    other = dataclasses.replace(row, name="worse", metrics={**row.metrics, "texture_agreement": worse})
    assert "+0.100 [+0.100, +0.100]" in results_table([row, other], against="tiny")


def test_pairs_seen_counts_what_the_config_says() -> None:
    config = {"accumulation": 2, "data": {"pairs_per_batch": 8}}
    assert pairs_seen({"config": config, "steps": 10}) == 160
    assert pairs_seen({"steps": 10}) is None


def test_stages_count_together() -> None:
    first = {"config": {"data": {"pairs_per_batch": 8}}, "steps": 10}
    second = {"config": {"data": {"pairs_per_batch": 4}}, "steps": 5, "parent": {"training": first}}
    assert steps_trained(second) == 15
    assert pairs_seen(second) == 100
    assert pairs_seen(second | {"parent": {"training": {"steps": 10}}}) is None


@pytest.mark.parametrize(
    "name", ["demo", "demo_further", *(f"ablation_{one}" for one in ("full", "no_garmnet", "no_image_prompt"))]
)
def test_shipped_configs_build_their_model(name: str) -> None:
    config = load_config(TrainConfig, CONFIGS / f"{name}.yaml")
    with torch.device("meta"):
        model = IGR(config.model)
    assert (model.garmnet is None, model.image_prompt is None) == (name.endswith("garmnet"), name.endswith("prompt"))


def test_ablations_differ_from_the_demo_in_what_their_names_say() -> None:
    demo, full, no_garmnet, no_image_prompt = (
        load_config(TrainConfig, CONFIGS / f"{name}.yaml")
        for name in ("demo", "ablation_full", "ablation_no_garmnet", "ablation_no_image_prompt")
    )
    assert full.steps < demo.steps
    optimizer = dataclasses.replace(full.optimizer, decay_steps=demo.optimizer.decay_steps)
    drop = dataclasses.replace(full.drop, start_steps=demo.drop.start_steps)
    again = dataclasses.replace(
        full, steps=demo.steps, validate_every=demo.validate_every, optimizer=optimizer, drop=drop
    )
    assert again == demo
    assert (
        dataclasses.replace(no_garmnet, model=full.model)
        == full
        == dataclasses.replace(no_image_prompt, model=full.model)
    )
    assert dataclasses.replace(no_garmnet.model, garmnet=full.model.garmnet) == full.model
    assert dataclasses.replace(no_image_prompt.model, image_prompt=full.model.image_prompt) == full.model


def test_base_configs_merge_deeply_and_loops_are_named(tmp_path: Path) -> None:
    text = {
        "base": "data: {train: [a, b], validation: v, vae: w, image_encoder: i}\nsteps: 5\n",
        "middle": "base: base.yaml\nsteps: 6\ndata: {train: [c]}\n",
        "top": "base: middle.yaml\nmodel: {image_prompt: {tokens: 2}}\n",
        "loop": "base: loop.yaml\n",
        "number": "base: 3\n",
    }
    for name, content in text.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    config = load_config(TrainConfig, tmp_path / "top.yaml")
    assert (config.steps, config.data.train, config.data.validation) == (6, ("c",), "v")
    assert config.model.image_prompt == ImagePromptConfig(tokens=2)
    for name, words in (("loop", "its own base"), ("number", "name of a file")):
        with pytest.raises(IGRError, match=words):
            load_config(TrainConfig, tmp_path / f"{name}.yaml")
