"""Paired metrics: an image with itself, symmetry, increasingly bad images, and agreement with the libraries."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from tests.support.models.metric_weights import write_weights
from training.data.synthetic import make_pair
from training.evaluation.metrics import garment as own
from training.evaluation.metrics import weights as weights_module
from training.evaluation.metrics.paired import OWN, PairedScorer, paired_metrics, silhouette_of
from training.evaluation.metrics.protocols import PROTOCOLS
from training.evaluation.metrics.registry import METRICS
from training.evaluation.metrics.weights import ALEXNET, DISTS, LPIPS_ALEX, LPIPS_VGG, VGG16, WeightsFolder

NATIVE = PROTOCOLS["native"]
PAPER = ("ssim", "lpips_alex", "lpips_vgg", "dists")
PERFECT = {"ssim": 1.0, "texture_agreement": 1.0, "garment_psnr": own.MAX_PSNR}  # all others: 0
SEED, SIZE = 11, (72, 96)
pytestmark = pytest.mark.xdist_group("metric weights")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> WeightsFolder:
    return WeightsFolder(write_weights(tmp_path_factory.mktemp("weights"), [ALEXNET, VGG16]))


@pytest.fixture(scope="module")
def scorer(weights: WeightsFolder) -> PairedScorer:
    """All paired metrics on random networks."""
    return PairedScorer(NATIVE, (*PAPER, *OWN), weights)


@pytest.fixture(scope="module")
def garment() -> Image.Image:
    """A drawn garment with a texture."""
    return make_pair(SEED, SIZE).garment


def unit(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).float().permute(2, 0, 1) / 255


def blurred(picture: Image.Image, strength: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(4 * strength))


def noisy(picture: Image.Image, strength: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 90 * strength, (picture.height, picture.width, 3))
    return Image.fromarray((np.array(picture) + noise).clip(0, 255).astype(np.uint8))


def rotated(picture: Image.Image, strength: float) -> Image.Image:
    return picture.rotate(16 * strength, Image.Resampling.BICUBIC, fillcolor="white")


def test_every_metric_runs_and_they_are_in_the_order_of_tables(scorer: PairedScorer, garment: Image.Image) -> None:
    found = scorer.score(unit(garment), unit(garment))
    assert tuple(found) == scorer.names == tuple(name for name in METRICS if name in found)
    assert set(found) == {*PAPER, *OWN} and not scorer.skipped


def test_an_image_scores_best_against_itself(scorer: PairedScorer, garment: Image.Image) -> None:
    for name, value in scorer.score(unit(garment), unit(garment)).items():
        assert value == pytest.approx(PERFECT.get(name, 0.0), abs=1e-5), name  # SSIM's own rounding


def test_the_papers_metrics_are_symmetric(scorer: PairedScorer, garment: Image.Image) -> None:
    one, other = unit(garment), unit(rotated(garment, 0.5))
    forth, back = scorer.score(one, other), scorer.score(other, one)
    for name in (*PAPER, "texture_agreement"):
        assert forth[name] == pytest.approx(back[name], rel=1e-4 if name in PAPER else 0.1), name
        assert forth[name] != pytest.approx(PERFECT.get(name, 0.0), abs=1e-3)


@pytest.mark.parametrize("corrupt", [blurred, noisy, rotated])
def test_scores_get_worse_as_an_image_gets_worse(
    corrupt: Callable[[Image.Image, float], Image.Image], scorer: PairedScorer, garment: Image.Image
) -> None:
    scores = [scorer.score(unit(corrupt(garment, strength)), unit(garment)) for strength in (0, 0.25, 0.5, 1)]
    for name in (*PAPER, "texture_agreement", "masked_l1", "garment_psnr"):
        values = [found[name] * (1 if METRICS[name].higher_is_better else -1) for found in scores]
        assert all(better > worse for better, worse in zip(values[:-1], values[1:], strict=True)), (name, values)


def test_ssim_lpips_and_dists_are_torchmetrics_own(
    scorer: PairedScorer, weights: WeightsFolder, garment: Image.Image
) -> None:
    from torchmetrics.functional.image import (
        deep_image_structure_and_texture_similarity,
        learned_perceptual_image_patch_similarity,
        structural_similarity_index_measure,
    )

    one, other = unit(noisy(garment, 0.3)), unit(garment)
    found = scorer.score(one, other)
    pair = one[None], other[None]
    with weights.as_hub(), torch.no_grad():
        wanted = {
            "ssim": structural_similarity_index_measure(*pair, data_range=1.0),
            "lpips_alex": learned_perceptual_image_patch_similarity(*pair, net_type="alex", normalize=True),
            "lpips_vgg": learned_perceptual_image_patch_similarity(*pair, net_type="vgg", normalize=True),
            "dists": deep_image_structure_and_texture_similarity(*pair, reduction="mean"),
        }
    for name, value in wanted.items():
        assert found[name] == pytest.approx(float(value), rel=1e-6), name


def test_tryoffdiffs_metrics_are_pyiqas_own(garment: Image.Image, tmp_path: Path) -> None:
    pyiqa = pytest.importorskip("pyiqa", reason="NOT RUN: pyiqa is large, and left to those who score by tryoffdiff")
    folder = write_weights(tmp_path, [ALEXNET, VGG16])
    for head in (LPIPS_ALEX, LPIPS_VGG, DISTS):
        shutil.copy(WeightsFolder(None).path(head), folder / "checkpoints" / head.name)
    weights, protocol = WeightsFolder(folder), PROTOCOLS["tryoffdiff"]
    one, other = unit(noisy(garment, 0.3)), unit(garment)
    scorer = PairedScorer(protocol, PAPER, weights)
    assert not scorer.skipped and not scorer.score(other, other)["dists"] > 1e-5
    heads = {"lpips": LPIPS_ALEX, "lpips-vgg": LPIPS_VGG, "dists": DISTS}
    with weights.as_hub():
        direct = {
            name: pyiqa.create_metric(name, device="cpu", pretrained_model_path=str(weights.path(head)))
            for name, head in heads.items()
        }
    found = scorer.score(one, other)
    assert protocol.dists_size is not None
    small = [
        picture.resize(protocol.dists_size, Image.Resampling.BICUBIC) for picture in (noisy(garment, 0.3), garment)
    ]
    with torch.no_grad():
        assert found["ssim"] == pytest.approx(float(pyiqa.create_metric("ssim", device="cpu")(one[None], other[None])))
        for name, own_name in (("lpips_alex", "lpips"), ("lpips_vgg", "lpips-vgg")):
            assert found[name] == pytest.approx(float(direct[own_name](one[None], other[None])), rel=1e-5)
        dists = float(direct["dists"](*(unit(picture)[None] for picture in small)))
    assert found["dists"] == pytest.approx(dists, rel=0.02)  # Pillow rounds to 8 bits after scaling


def test_own_metrics_are_those_of_training_inside_the_given_silhouette(garment: Image.Image, tmp_path: Path) -> None:
    pair = make_pair(SEED, SIZE)
    silhouette = torch.from_numpy(np.array(pair.garment_silhouette)).float()[None] / 255
    scorer = PairedScorer(NATIVE, OWN, WeightsFolder(tmp_path))
    one, other = unit(rotated(garment, 1)), unit(garment)
    batch = one[None], other[None], silhouette[None]
    wanted = {
        "texture_agreement": own.texture_agreement(*batch),
        "masked_l1": own.masked_l1(*batch),
        "garment_psnr": own.garment_psnr(*batch),
        "invented": own.invented(batch[0], batch[2]),
        "missing": own.missing(*batch),
    }
    assert wanted.keys() == set(OWN)
    for name, value in scorer.score(one, other, silhouette).items():
        assert value == pytest.approx(float(wanted[name])), name
    everywhere = scorer.score(one, other, torch.ones(1, 96, 72))
    assert everywhere["invented"] == 0 != scorer.score(one, other, silhouette)["invented"]


def test_large_images_are_brought_to_one_width_for_own_metrics(tmp_path: Path) -> None:
    one, other = (unit(make_pair(seed, (480, 640)).garment) for seed in (SEED, SEED + 1))
    scorer = PairedScorer(NATIVE, OWN, WeightsFolder(tmp_path))
    shrunk = [
        F.interpolate(picture[None], (512, 384), mode="bicubic", antialias=True).clamp(0, 1)[0]
        for picture in (one, other)
    ]
    assert scorer.score(one, other) == pytest.approx(scorer.score(*shrunk))


def test_whole_numbers_and_unit_range_score_the_same(scorer: PairedScorer, garment: Image.Image) -> None:
    one, other = noisy(garment, 0.2), garment
    whole = [torch.from_numpy(np.array(picture)).permute(2, 0, 1) for picture in (one, other)]
    assert scorer.score(*whole) == pytest.approx(scorer.score(unit(one), unit(other)))


def test_dists_has_its_own_size_if_the_protocol_has_one_unlike_ssim(
    scorer: PairedScorer, weights: WeightsFolder, garment: Image.Image
) -> None:
    at_size = PairedScorer(replace(NATIVE, dists_size=(48, 64)), ("ssim", "dists"), weights)
    one, other = unit(noisy(garment, 0.3)), unit(garment)
    small = [
        F.interpolate(picture[None], (64, 48), mode="bicubic", antialias=True).clamp(0, 1)[0]
        for picture in (one, other)
    ]
    found, whole = at_size.score(one, other), scorer.score(one, other)
    assert found["dists"] == pytest.approx(scorer.score(*small)["dists"], rel=1e-5)
    assert found["dists"] != pytest.approx(whole["dists"], rel=1e-3) and found["ssim"] == whole["ssim"]
    assert PROTOCOLS["tryoffdiff"].dists_size == (256, 341)


@pytest.mark.parametrize("name", ["lpips_alex", "lpips_vgg", "dists"])
def test_networks_run_on_the_given_device(name: str, weights: WeightsFolder, garment: Image.Image) -> None:
    """On PyTorch's meta device, which only computes shapes; SSIM and this project's metrics stay where they were."""
    elsewhere = PairedScorer(NATIVE, (name, "ssim", *OWN), weights, torch.device("meta"))
    assert not elsewhere.skipped
    with pytest.raises(RuntimeError, match="meta"):
        elsewhere.score(unit(garment), unit(garment))
    without = PairedScorer(NATIVE, ("ssim", *OWN), weights, torch.device("meta"))
    assert without.score(unit(garment), unit(garment))["ssim"] == pytest.approx(1, abs=1e-5)


def test_pyiqas_heads_are_files_of_the_weights_folder_too() -> None:
    found = {metric.name: metric for metric in paired_metrics(PROTOCOLS["tryoffdiff"])}
    heads = {"lpips_alex": LPIPS_ALEX, "lpips_vgg": LPIPS_VGG, "dists": DISTS}
    for name, head in heads.items():
        assert found[name].head is head and found[name].weights == (ALEXNET if "alex" in name else VGG16, head)
    assert found["ssim"].weights == () and not any(metric.head for metric in paired_metrics(NATIVE))


def test_pyiqa_only_reads_these_files(
    weights: WeightsFolder, garment: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs only if pyiqa is installed; its LPIPS and DISTS equal torchmetrics' on the same files."""
    pytest.importorskip("pyiqa", reason="NOT RUN: pyiqa is large, and left to those who score by tryoffdiff")
    for name in ("LPIPS_ALEX", "LPIPS_VGG", "DISTS"):
        file = getattr(weights_module, name)
        place = weights.folder / "checkpoints" / file.name
        place.write_bytes(WeightsFolder(None).path(file).read_bytes())
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("it asked the network"))
    scorer = PairedScorer(replace(NATIVE, paired="pyiqa"), PAPER, weights)
    assert not scorer.skipped
    one, other = unit(noisy(garment, 0.3)), unit(garment)
    wanted = PairedScorer(NATIVE, PAPER, weights).score(one, other)
    for name in ("lpips_alex", "lpips_vgg", "dists"):
        assert scorer.score(one, other)[name] == pytest.approx(wanted[name], rel=1e-3)


def test_without_weights_each_metric_that_needs_some_names_its_file_and_the_others_run(
    garment: Image.Image, tmp_path: Path
) -> None:
    offline = PairedScorer(NATIVE, (*PAPER, *OWN), WeightsFolder(tmp_path))
    assert offline.names == ("ssim", *OWN)
    missing = {"lpips_alex": ALEXNET, "lpips_vgg": VGG16, "dists": VGG16}
    assert set(offline.skipped) == set(missing)
    for name, file in missing.items():
        assert offline.skipped[name].startswith(f"{file.name} is missing from checkpoints/")
    assert offline.score(unit(garment), unit(garment))["ssim"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 cut off"], ids=["empty", "a page", "cut off"])
def test_a_damaged_file_skips_its_metric_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ALEXNET.name).write_bytes(content)
    found = PairedScorer(NATIVE, PAPER, WeightsFolder(tmp_path)).skipped["lpips_alex"]
    assert found.startswith("torchmetrics could not load the network of lpips_alex (")
    assert found.endswith(f"download {ALEXNET.name} again.") and "\n" not in found


def test_a_file_of_another_network_skips_its_metric(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    torch.save({"weight": torch.zeros(3)}, tmp_path / "checkpoints" / ALEXNET.name)
    assert (
        f"download {ALEXNET.name} again" in PairedScorer(NATIVE, PAPER, WeightsFolder(tmp_path)).skipped["lpips_alex"]
    )


def test_a_protocol_with_a_missing_library_says_how_to_install_it(tmp_path: Path, garment: Image.Image) -> None:
    protocol = replace(PROTOCOLS["tryoffdiff"], paired="library_that_is_nowhere")  # pyiqa is not installed by default
    scorer = PairedScorer(protocol, (*PAPER, *OWN), WeightsFolder(tmp_path))
    assert scorer.names == OWN
    assert scorer.skipped["ssim"].endswith("run `pip install library_that_is_nowhere`.")


def test_without_a_silhouette_the_garment_is_the_area_that_white_does_not_reach_from_the_border() -> None:
    picture = torch.ones(1, 3, 20, 20)
    picture[..., 4:16, 4:16] = 0.5
    picture[..., 8:12, 8:12] = 1.0  # white inside the garment is garment
    wanted = torch.zeros(1, 1, 20, 20)
    wanted[..., 4:16, 4:16] = 1
    assert (silhouette_of(picture) == wanted).all()
    assert silhouette_of(torch.ones(1, 3, 8, 8)).sum() == 0
