"""The headless pipeline with a tiny real bundle: guidance, batches, seeds, strengths, missing parts."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle, save_bundle
from igr_core.model.config import ViewConfig
from igr_core.model.diffusers_adapter import missing_for_compiling
from igr_core.model.pruning_config import ALL, NEAR, Pruning
from igr_core.photo.view import GarmentView, make_view
from igr_core.restore.restorer import GarmentRestorer, decode_latent, encode_image
from igr_core.sampling.loop import sample_latents
from igr_core.sampling.presets import Sampling
from igr_core.sampling.schedule import alphas_cumprod, ddim_step, ddim_timesteps, draw_noise
from tests.support.models.tiny import MODEL, save_runnable

CATEGORIES = ["upper", "lower", "full"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors")


@pytest.fixture(scope="module")
def restorer(bundle: Path) -> GarmentRestorer:
    return GarmentRestorer.from_bundle(bundle)


@pytest.fixture(scope="module")
def view() -> GarmentView:
    masks = torch.zeros(3, 1, 80, 60)
    for i in range(3):
        masks[i, :, 10 + 5 * i : 60, 12:45] = 1
    photos = torch.rand(3, 3, 80, 60, generator=torch.Generator().manual_seed(1))
    return make_view(photos, masks, MODEL.native_size, MODEL.view, MODEL.image_encoder.image_size)


def one(view: GarmentView, i: int) -> GarmentView:
    rows = slice(i, i + 1)
    return GarmentView(view.person[rows], view.mask[rows], view.crop[rows], view.placements[rows], ())


def test_restores_images_of_the_views_size(restorer: GarmentRestorer, view: GarmentView) -> None:
    garments = restorer.restore(view, CATEGORIES, Sampling(2))
    assert garments.shape == (3, 3, 64, 48)
    assert garments.min() >= 0 and garments.max() <= 1 and garments.std() > 0


def test_batch_equals_single_runs(restorer: GarmentRestorer, view: GarmentView) -> None:
    batch = restorer.restore(view, CATEGORIES, Sampling(3), seed=7)
    for i, category in enumerate(CATEGORIES):
        alone = restorer.restore(one(view, i), category, Sampling(3), seed=7 + i)
        assert (alone[0] - batch[i]).abs().max() < 1e-4


def test_same_seed_same_image_other_seed_another(restorer: GarmentRestorer, view: GarmentView) -> None:
    single = one(view, 0)
    first, second = (restorer.restore(single, "upper", Sampling(2), seed=seed) for seed in (3, np.int64(3)))
    assert torch.equal(first, second)
    assert not torch.equal(first, restorer.restore(single, "upper", Sampling(2), seed=4))


def test_photo_mask_and_category_all_matter(restorer: GarmentRestorer, view: GarmentView) -> None:
    base = restorer.restore(one(view, 0), "upper", Sampling(2))
    assert not torch.equal(base, restorer.restore(one(view, 0), "lower", Sampling(2)))
    for field in ("person", "mask", "crop"):
        changed = dataclasses.replace(one(view, 0), **{field: 1 - getattr(view, field)[:1]})
        assert not torch.equal(base, restorer.restore(changed, "upper", Sampling(2))), field


@pytest.mark.parametrize("guidance", [1.0, 1.5, 3.0])
def test_guidance_by_hand(restorer: GarmentRestorer, view: GarmentView, guidance: float) -> None:
    """Two explicit denoiser calls per step: conditional rows, and rows without conditions."""
    model, conditions = restorer.model, restorer.conditions(view, CATEGORIES)
    noise = draw_noise((3, 4, 8, 6), 0)
    timesteps = ddim_timesteps(MODEL.noise, 2)
    signals = [float(x) for x in alphas_cumprod(MODEL.noise)[timesteps]] + [1.0]
    rows, latent = [0, 1, 2], noise
    with torch.no_grad():
        fusion = model.fusion(noise, rows, conditions.features, rows, conditions.image_features, kept=conditions.kept)
        for i, timestep in enumerate(timesteps):
            time = torch.full((3,), timestep)
            seeing = model.denoise(latent, time, model.text(CATEGORIES), fusion)
            blind = model.denoise(latent, time, model.text(["empty"] * 3), None)
            predicted = blind + guidance * (seeing - blind)
            latent, _ = ddim_step(latent, predicted, signals[i], signals[i + 1], MODEL.noise.prediction_type)
    sampled = sample_latents(model, noise, conditions, Sampling(2, guidance))
    assert torch.allclose(sampled, latent, atol=1e-4)


def test_strength_zero_forgets_the_photo(restorer: GarmentRestorer, view: GarmentView) -> None:
    off = {"reference_strength": 0.0, "image_prompt_strength": 0.0, "sampling": Sampling(2), "seed": 5}
    first, other = (restorer.restore(one(view, i), "upper", **off) for i in (0, 1))
    assert torch.equal(first, other)


def test_garments_in_several_photos(restorer: GarmentRestorer, view: GarmentView) -> None:
    """One photo per garment is the default; a second one only changes its own garment."""
    plain = restorer.restore(view, CATEGORIES, Sampling(2))
    assert torch.equal(restorer.restore(view, CATEGORIES, Sampling(2), photos=[(0,), (1,), (2,)]), plain)
    both = restorer.restore(view, CATEGORIES[:2], Sampling(2), photos=[(0, 2), (1,)])
    assert both.shape[0] == 2
    assert torch.allclose(both[1], plain[1], atol=1e-5) and not torch.allclose(both[0], plain[0], atol=1e-4)
    with pytest.raises(IGRError, match="every number below 3 exactly once"):
        restorer.restore(view, CATEGORIES[:2], photos=[(0,), (1,)])


def test_progress_counts_every_step(restorer: GarmentRestorer, view: GarmentView) -> None:
    seen: list[tuple[int, int]] = []
    restorer.restore(one(view, 0), "upper", Sampling(3), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_latents_are_scaled_both_ways(restorer: GarmentRestorer) -> None:
    picture = torch.rand(1, 3, 64, 48)
    with torch.no_grad():
        latent = encode_image(restorer.vae, picture)
        raw = restorer.vae.encode(picture * 2 - 1).latent_dist.mean
        assert torch.allclose(latent, raw * MODEL.vae.scaling_factor)
        straight = (restorer.vae.decode(raw).sample / 2 + 0.5).clamp(0, 1)
        assert torch.allclose(decode_latent(restorer.vae, latent), straight, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"category": "hat"}, "Unknown category 'hat'"),
        ({"category": ["upper"]}, r"number of categories \(1\) differs from that of garments \(3\)"),
        ({"sampling": Sampling(501)}, "choose 1 to 500"),
    ],
)
def test_wrong_requests_get_a_sentence(
    restorer: GarmentRestorer, view: GarmentView, wrong: dict, sentence: str
) -> None:
    with pytest.raises(IGRError, match=sentence):
        restorer.restore(view, **({"category": CATEGORIES, "sampling": Sampling(2)} | wrong))


def test_view_of_an_impossible_size_is_refused(restorer: GarmentRestorer, view: GarmentView) -> None:
    odd = dataclasses.replace(view, person=torch.rand(3, 3, 60, 44))
    with pytest.raises(IGRError, match="needs multiples of 16"):
        restorer.restore(odd, CATEGORIES)


@pytest.mark.parametrize("part", ["vae", "image_encoder"])
def test_bundle_without_a_part_names_it(bundle: Path, tmp_path: Path, part: str) -> None:
    whole = Bundle.open(bundle)
    names = [row["part"] for row in whole.summary() if row["part"] != part]
    info = dataclasses.replace(whole.info, **{f"expected_{part}": "the SD1.5 one"})
    save_bundle(tmp_path / "less.safetensors", info, {name: whole.tensors(name) for name in names})
    with pytest.raises(IGRError, match=rf"less.safetensors has no {part} \(it expects the SD1.5 one\)"):
        GarmentRestorer.from_bundle(tmp_path / "less.safetensors")


@pytest.mark.parametrize("part", ["garmnet", "image_prompt"])
def test_ablated_bundles_restore(bundle: Path, tmp_path: Path, view: GarmentView, part: str) -> None:
    whole = Bundle.open(bundle)
    info = dataclasses.replace(whole.info, model=dataclasses.replace(MODEL, **{part: None}))
    parts = {row["part"]: whole.tensors(row["part"]) for row in whole.summary() if row["part"] != part}
    save_bundle(tmp_path / "ablated.safetensors", info, parts)
    restored = GarmentRestorer.from_bundle(tmp_path / "ablated.safetensors").restore(view, CATEGORIES, Sampling(2))
    assert restored.shape == (3, 3, 64, 48)


@pytest.mark.parametrize("pruning", [ALL, Pruning(0), NEAR])
def test_a_batch_equals_single_runs_whatever_is_kept(bundle: Path, pruning: Pruning) -> None:
    restorer = GarmentRestorer.from_bundle(bundle, pruning=pruning)
    small = small_garments()
    kept = restorer.conditions(small, CATEGORIES).kept
    assert bool(kept) == (pruning != ALL) and all(len(set(block.counts)) > 1 for block in kept.values())
    batch = restorer.restore(small, CATEGORIES, Sampling(2), seed=7)
    for i, category in enumerate(CATEGORIES):
        alone = restorer.restore(one(small, i), category, Sampling(2), seed=7 + i)
        assert (alone[0] - batch[i]).abs().max() < 1e-4


def test_the_margin_matters(bundle: Path) -> None:
    images = [
        GarmentRestorer.from_bundle(bundle, pruning=pruning).restore(small_garments(), CATEGORIES, Sampling(2))
        for pruning in (ALL, Pruning(0), NEAR)
    ]
    assert all(not torch.allclose(x, y, atol=1e-4) for x, y in itertools.combinations(images, 2))


def small_garments() -> GarmentView:
    """The whole view of three photos, with garments of different sizes far from most of the photo."""
    masks = torch.zeros(3, 1, 128, 96)
    for i in range(3):
        masks[i, :, 40 : 56 + 12 * i, 40:56] = 1
    photos = torch.rand(3, 3, 128, 96, generator=torch.Generator().manual_seed(1))
    return make_view(photos, masks, (96, 128), ViewConfig("whole"), MODEL.image_encoder.image_size)


@pytest.mark.skipif(missing_for_compiling(False) is not None, reason="needs a C++ compiler")
def test_compiled_networks_restore_the_same_garment(bundle: Path, view: GarmentView) -> None:
    """One step has two rows, and one a single row."""
    restorer = GarmentRestorer.from_bundle(bundle)
    expected = restorer.restore(one(view, 0), "upper", Sampling(2, guidance_end=0.5))
    restorer.compile()
    assert any(module._compiled_call_impl is not None for module in restorer.model.modules())
    given = restorer.restore(one(view, 0), "upper", Sampling(2, guidance_end=0.5))
    assert (given - expected).abs().max() < 1e-4


def test_compiling_without_a_compiler_is_refused(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++-of-another-machine")
    with pytest.raises(IGRError, match="Compiling needs g.*-of-another-machine, which was not found: install it, or"):
        GarmentRestorer.from_bundle(bundle).compile()


def test_a_gpu_needs_triton_and_a_c_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"g++": "/usr/bin/g++"}
    monkeypatch.setattr("igr_core.model.diffusers_adapter.which", there.get)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("igr_core.model.diffusers_adapter.find_spec", lambda name: None)
    assert missing_for_compiling(True) == "triton"
    monkeypatch.setattr("igr_core.model.diffusers_adapter.find_spec", lambda name: object())
    assert missing_for_compiling(True) == "gcc"
    there["clang"] = "/usr/bin/clang"
    assert missing_for_compiling(True) is None


def test_half_precision_bundle_runs_in_single(bundle: Path, tmp_path: Path, view: GarmentView) -> None:
    whole = Bundle.open(bundle)
    halves = {
        row["part"]: {name: value.half() for name, value in whole.tensors(row["part"]).items()}
        for row in whole.summary()
    }
    save_bundle(tmp_path / "half.safetensors", whole.info, halves)
    half = GarmentRestorer.from_bundle(tmp_path / "half.safetensors")
    assert half.dtype == torch.float32
    full = GarmentRestorer.from_bundle(bundle).restore(view, CATEGORIES, Sampling(2))
    assert (half.restore(view, CATEGORIES, Sampling(2)) - full).abs().max() < 0.05
