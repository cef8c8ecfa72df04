"""Losses on the decoded prediction: zero at the truth, gradients that reach the prediction, missing weights."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler
from transformers import Dinov2Config, Dinov2Model

from igr_core.errors import IGRError
from igr_core.model.config import NoiseConfig
from igr_core.model.networks import build_scheduler
from tests.support.training.prepared import tiny_config, write_vgg
from training.base.train_config import DropConfig, ExtraLossConfig, TrainConfig
from training.core.loss.extra import ExtraLosses, load_lpips, predicted_clean
from training.core.loss.objective import draw_rows
from training.prepared.latents import PreparedPairs

CPU = torch.device("cpu")
V = NoiseConfig(prediction_type="v_prediction", zero_terminal_snr=True, timestep_spacing="trailing")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(folder / "d")
    extra = ExtraLossConfig(dino=1.0, dino_model=str(folder / "d"), below=1.0, rows=3)
    return replace(tiny_config(folder), extra_losses=extra)


@pytest.mark.parametrize("noise", [NoiseConfig(), V])
def test_the_true_prediction_gives_back_the_clean_latent(noise: NoiseConfig, config: TrainConfig) -> None:
    scheduler = build_scheduler(noise)
    batch = PreparedPairs([config.data.validation]).batch(range(4))
    rows = draw_rows(batch, scheduler, DropConfig(), torch.Generator().manual_seed(0), only_timestep=300)
    clean = predicted_clean(scheduler, rows.target, rows.noisy, rows.timestep)
    assert torch.allclose(clean, batch.garment_latent, atol=1e-3)


def test_dino_is_zero_at_the_truth_and_pulls_towards_it(config: TrainConfig) -> None:
    scheduler: DDIMScheduler = build_scheduler(config.model.noise)
    losses = ExtraLosses.of(config, scheduler, CPU)
    assert losses is not None
    batch = PreparedPairs([config.data.validation]).batch(range(2))
    rows = draw_rows(batch, scheduler, DropConfig(), torch.Generator().manual_seed(0), draws=2, only_timestep=100)
    assert float(losses(rows.target, rows, batch)) == pytest.approx(0, abs=1e-4)
    wrong = (rows.target + torch.randn(rows.target.shape, generator=torch.Generator().manual_seed(1))).requires_grad_()
    loss = losses(wrong, rows, batch)
    assert loss.item() > 1e-3
    loss.backward()
    assert wrong.grad is not None
    assert [bool(row.any()) for row in wrong.grad].count(True) == config.extra_losses.rows


def test_noisy_rows_have_no_extra_losses(config: TrainConfig) -> None:
    extra = replace(config.extra_losses, below=0.5)
    losses = ExtraLosses.of(replace(config, extra_losses=extra), build_scheduler(config.model.noise), CPU)
    assert losses is not None
    batch = PreparedPairs([config.data.validation]).batch(range(2))
    rows = draw_rows(batch, losses.scheduler, DropConfig(), torch.Generator(), draws=3)
    noisy = replace(rows, timestep=torch.tensor([900, 400, 20, 600, 100, 300]), step_timestep=None)
    assert losses.chosen(noisy)[0].tolist() == [2, 4, 5] and losses.chosen(noisy)[1] == 3
    assert len(losses.chosen(replace(noisy, timestep=torch.tensor([900, 600])))[0]) == 0


def test_the_least_noisy_rows_are_those_of_the_whole_step(config: TrainConfig) -> None:
    """Two parts of a step decode the same rows as one undivided step, and their losses add up to the same value."""
    losses = ExtraLosses.of(config, build_scheduler(config.model.noise), CPU)
    assert losses is not None
    pairs = PreparedPairs([config.data.validation])

    def drawn(start: int, count: int, part: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        batch = pairs.batch(range(start, start + count))
        rows = draw_rows(batch, losses.scheduler, DropConfig(), torch.Generator().manual_seed(3), 2, part=part)
        return rows.timestep[losses.chosen(rows)[0]], losses(rows.target * 0.9, rows, batch)

    (steps, loss), *parts = drawn(0, 4, (0, 1)), drawn(0, 2, (0, 2)), drawn(2, 2, (1, 2))
    assert len(steps) == config.extra_losses.rows
    assert torch.cat([one[0] for one in parts]).sort().values.tolist() == steps.tolist()
    assert float(sum(one[1] for one in parts)) == pytest.approx(float(loss), rel=1e-4) and float(loss) > 0


def test_off_by_default_and_missing_weights_are_named(config: TrainConfig, tmp_path: Path) -> None:
    scheduler = build_scheduler(config.model.noise)
    assert ExtraLosses.of(replace(config, extra_losses=ExtraLossConfig()), scheduler, CPU) is None
    missing = replace(config, extra_losses=ExtraLossConfig(dino=1.0, dino_model=str(tmp_path)))
    with pytest.raises(IGRError, match=f"{tmp_path} does not contain a DINOv2 model"):
        ExtraLosses.of(missing, scheduler, CPU)
    with pytest.raises(IGRError, match="dino needs dino_model"):
        ExtraLossConfig(dino=1.0)


def test_lpips_is_the_packages_own_and_reaches_the_prediction(tmp_path: Path) -> None:
    package = pytest.importorskip("lpips", reason="needs the package lpips: pip install lpips")
    path = write_vgg(tmp_path / "vgg.pth")
    module = load_lpips(str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct = package.LPIPS(net="vgg", pnet_rand=True, verbose=False).eval()
    tensors = torch.load(path, weights_only=True)
    features = [one for one in direct.net.modules() if isinstance(one, torch.nn.Conv2d)]
    numbers = sorted({int(name.split(".")[1]) for name in tensors})
    for convolution, number in zip(features, numbers, strict=True):
        convolution.weight.data = tensors[f"features.{number}.weight"]
        convolution.bias.data = tensors[f"features.{number}.bias"]
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.rand(2, 3, 64, 48, generator=generator) * 2 - 1 for _ in range(2))
    torch.testing.assert_close(module(one, other), direct(one, other))
    assert float(module(one, one).abs().max()) < 1e-6
    one.requires_grad_(True)
    module(one, other).sum().backward()
    assert one.grad is not None and float(one.grad.abs().sum()) > 0
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(IGRError, match="is not torchvision's VGG-16"):
        load_lpips(str(path))


def test_lpips_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        IGRError, match=r"lpips needs (the packages lpips and torchvision|torchvision's VGG-16 weights)"
    ):
        load_lpips(str(tmp_path / "vgg.pth"))
