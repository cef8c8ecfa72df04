"""A measurement with a tiny bundle: paired noise, resuming after an interruption, refusal of other settings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import training.robustness.measuring as measuring
from igr_core.errors import IGRError
from igr_core.restore.restorer import GarmentRestorer
from tests.support.models.tiny import save_runnable
from training.data.caches.drawn import HELD_OUT_START
from training.robustness.corruptions import KINDS, LEVELS
from training.robustness.measuring import corrupted_mask, measure, planned_conditions, take_photos
from training.robustness.plan import RESULT, Plan
from training.robustness.results import CLEAN, NO_MASK, condition_of, read_robustness

FEW = [(CLEAN, None), ("erosion", 0.8), ("shift", 0.5), (NO_MASK, None)]
PLAN = Plan(photos=3, steps=1, guidance=1.0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_runnable(tmp_path_factory.mktemp("robustness") / "tiny.safetensors")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "planned_conditions", lambda: FEW)
    monkeypatch.setattr(measuring, "BATCH", 2)


def test_a_stopped_run_resumes_without_restoring_again(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noises: list[int] = []
    restore = GarmentRestorer.restore

    def counted(self: GarmentRestorer, view, category, sampling, **options):  # noqa: ANN001, ANN202
        if len(noises) == 4:
            noises.append(-1)
            raise KeyboardInterrupt
        noises.append(options["seed"])
        return restore(self, view, category, sampling, **options)

    monkeypatch.setattr(GarmentRestorer, "restore", counted)
    with pytest.raises(KeyboardInterrupt):
        measure(bundle, tmp_path, PLAN)
    assert not (tmp_path / RESULT).exists()
    found = measure(bundle, tmp_path, PLAN)
    assert noises == [0, 2, 0, 2, -1, 0, 2, 0, 2], "the same noise in every condition, and none of the two done again"
    assert read_robustness(tmp_path / RESULT) == found
    assert [(one.kind, one.aim) for one in map(condition_of, found.results)] == FEW
    assert sorted(found.results[0].known["categories"]) == ["full", "lower", "upper"]
    assert min(found.seeds) >= HELD_OUT_START
    for one in found.results:
        assert all(len(score.values) == 3 for score in one.paired.values()) and one.generated.count == 3
        assert len(list((tmp_path / "garments" / condition_of(one).name).glob("*.png"))) == 3
    again = measure(bundle, tmp_path, PLAN)
    assert len(noises) == 9 and again.results == found.results
    with pytest.raises(IGRError, match="records different settings"):
        measure(bundle, tmp_path, Plan(photos=3, steps=2, guidance=1.0))
    told = [one.known | {"command": ""} for one in read_robustness(tmp_path / RESULT).results]
    assert str(bundle.parent) not in json.dumps(told), "no path of this machine"


def test_scores_compare_with_the_true_garment() -> None:
    photos = take_photos(PLAN, (48, 64))
    scorer = measuring.PairedScorer(
        measuring.protocol_named("native"), ("ssim", *measuring.OWN), measuring.WeightsFolder(None)
    )
    silhouette = photos.silhouettes[0]
    right = measuring._score(scorer, photos.garments[0], photos.garments[0], silhouette)
    white = measuring._score(scorer, torch.ones(3, 64, 48), photos.garments[0], silhouette)
    assert right["ssim"] == pytest.approx(1, abs=1e-4) and right["outline"] > 0.9 and white["outline"] == 0


def test_every_kind_and_level_is_planned() -> None:
    assert planned_conditions()[1:-1] == [(kind, level) for kind in KINDS for level in LEVELS]
    assert len(planned_conditions()) == 22


def test_the_reference_masks() -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    clean, none = (corrupted_mask(mask, kind, None, 0) for kind in (CLEAN, NO_MASK))
    assert (clean.mask == mask).all() and clean.overlap == 1
    assert none.mask.all() and none.overlap == pytest.approx(0.25)


def test_a_bundle_that_is_invalid_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"0" * 64)
    with pytest.raises(IGRError, match=r"x\.safetensors"):
        measure(tmp_path / "x.safetensors", tmp_path / "out", PLAN)


def test_photos_have_true_garments_at_the_models_size() -> None:
    photos = take_photos(PLAN, (48, 64))
    assert photos.persons.shape == (3, 3, 384, 288) and photos.masks.shape == (3, 384, 288)
    assert photos.garments.shape == (3, 3, 64, 48) and photos.silhouettes.shape == (3, 1, 64, 48)
    assert photos.masks.any((1, 2)).all()
