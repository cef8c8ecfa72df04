"""Metrics: identical images, known scores, and the ranking that texture_agreement was designed for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.filters import gaussian
from torch import Tensor

from training.data.synthetic import make_pair
from training.evaluation.metrics.garment import (
    MAX_PSNR,
    garment_psnr,
    invented,
    masked_l1,
    missing,
    texture_agreement,
)
from training.evaluation.metrics.paired import OWN, PairedScorer
from training.evaluation.metrics.protocols import protocol_named
from training.evaluation.metrics.weights import WeightsFolder

SCORER = PairedScorer(protocol_named("native"), ("ssim", *OWN), WeightsFolder(None))


def score(generated: Tensor, truth: Tensor, silhouette: Tensor) -> dict[str, Tensor]:
    """SSIM and our own metrics of images (B, 3, H, W), computed one by one: name -> (B,)."""
    found = [SCORER.score(*one) for one in zip(generated, truth, silhouette, strict=True)]
    return {name: torch.tensor([one[name] for one in found]) for name in SCORER.names}


def own(generated: Tensor, truth: Tensor, silhouette: Tensor) -> dict[str, Tensor]:
    """Our own metrics of all images at once."""
    return {
        "masked_l1": masked_l1(generated, truth, silhouette),
        "garment_psnr": garment_psnr(generated, truth, silhouette),
        "texture_agreement": texture_agreement(generated, truth, silhouette),
        "invented": invented(generated, silhouette),
        "missing": missing(generated, truth, silhouette),
    }


def ssim(generated: Tensor, truth: Tensor) -> Tensor:
    """SSIM of each image with protocol native."""
    return score(generated, truth, torch.ones_like(truth[:, :1]))["ssim"]


@pytest.fixture(scope="module")
def garments() -> tuple[Tensor, Tensor]:
    """Flat garments (B, 3, H, W) with texture, and their silhouettes (B, 1, H, W)."""
    pictures, silhouettes = [], []
    for seed in range(100):
        pair = make_pair(seed, size=(96, 128))
        if pair.attributes["pattern"] in ("solid", "gradient", "blocks") and not pair.attributes["text"]:
            continue
        pictures.append(torch.from_numpy(np.asarray(pair.garment).transpose(2, 0, 1).copy()).float() / 255)
        silhouettes.append(torch.from_numpy(np.asarray(pair.garment_silhouette).copy())[None].float() / 255)
        if len(pictures) == 6:
            break
    return torch.stack(pictures), torch.stack(silhouettes)


def blurred(pictures: Tensor, sigma: float) -> Tensor:
    arrays = [gaussian(one.numpy(), sigma, channel_axis=0) for one in pictures]
    return torch.from_numpy(np.stack(arrays)).float().clamp(0, 1)


def sharp_wrong(pictures: Tensor, silhouettes: Tensor) -> Tensor:
    """Each silhouette filled with the cloth of the next garment, reflected from its middle."""
    height, width = pictures.shape[-2:]
    filled = []
    for other in pictures.roll(-1, 0).numpy():
        cloth = other[:, height // 4 : height // 2, 3 * width // 8 : 5 * width // 8]
        margin = [(0, 0), (0, height - cloth.shape[1]), (0, width - cloth.shape[2])]
        filled.append(torch.from_numpy(np.pad(cloth, margin, mode="reflect")))
    inside = (silhouettes > 0.5).float()
    return torch.stack(filled) * inside + (1 - inside)


def test_identity_is_the_best_score(garments: tuple[Tensor, Tensor]) -> None:
    truth, silhouette = garments
    scores = score(truth, truth, silhouette)
    assert set(scores) == {"ssim", *OWN}
    for name, best in (
        ("ssim", 1.0),
        ("masked_l1", 0.0),
        ("garment_psnr", MAX_PSNR),
        ("texture_agreement", 1.0),
        ("invented", 0),
        ("missing", 0),
    ):
        assert scores[name].shape == (len(truth),)
        torch.testing.assert_close(scores[name], torch.full_like(scores[name], best), atol=1e-5, rtol=0)


def test_known_answers() -> None:
    truth = torch.ones(2, 3, 32, 32)
    silhouette = torch.zeros(2, 1, 32, 32)
    silhouette[..., 8:24, 8:24] = 1
    truth = torch.where(silhouette > 0, torch.tensor(0.5), truth)
    off = torch.where(silhouette > 0, truth + 0.1, truth)
    assert masked_l1(off, truth, silhouette).tolist() == pytest.approx([0.1, 0.1], abs=1e-6)
    assert garment_psnr(off, truth, silhouette).tolist() == pytest.approx([20.0, 20.0], abs=1e-3)
    more = truth.clone()
    more[..., :8, :] = 0.0  # as many pixels as the silhouette, each wrong by 1
    assert masked_l1(more, truth, silhouette).tolist() == pytest.approx([0.5, 0.5], abs=1e-6)
    assert garment_psnr(more, truth, silhouette).tolist() == [MAX_PSNR, MAX_PSNR]
    assert ssim(1 - truth, truth).max() < 0.5


def test_invented_and_missing_parts_are_counted_beyond_a_soft_edge() -> None:
    silhouette = torch.zeros(1, 1, 64, 64)
    silhouette[..., 16:48, 16:48] = 1  # 1,024 pixels
    truth = torch.where(silhouette > 0, 0.5, 1.0).expand(1, 3, 64, 64)
    assert invented(truth, silhouette).item() == missing(truth, truth, silhouette).item() == 0
    soft = truth.clone()
    soft[..., 14:50, 14:50] = 0.5
    assert invented(soft, silhouette).item() == 0
    sleeve = truth.clone()
    sleeve[..., 20:28, 51:61] = 0.2  # 80 pixels beyond the rim
    assert invented(sleeve, silhouette).item() == pytest.approx(80 / 1024)
    assert missing(sleeve, truth, silhouette).item() == 0
    short = truth.clone()
    short[..., 36:48, :] = 1.0  # 12 rows of 32 pixels, 3 of which are at the rim of the rest
    assert missing(short, truth, silhouette).item() == pytest.approx(9 * 32 / 1024)
    assert invented(short, silhouette).item() == 0


def test_rows_are_scored_one_by_one(garments: tuple[Tensor, Tensor]) -> None:
    truth, silhouette = garments
    together = own(blurred(truth, 2), truth, silhouette)
    alone = score(blurred(truth[2:3], 2), truth[2:3], silhouette[2:3])
    for name, values in together.items():
        torch.testing.assert_close(values[2:3], alone[name])


def test_texture_agreement_ranks_right_over_blurred_over_wrong(garments: tuple[Tensor, Tensor]) -> None:
    truth, silhouette = garments
    cases = [truth, blurred(truth, 1), blurred(truth, 2), blurred(truth, 3), sharp_wrong(truth, silhouette)]
    values = torch.stack([texture_agreement(one, truth, silhouette) for one in cases])  # (5, B)
    assert bool(((values >= 0) & (values <= 1 + 1e-6)).all())
    assert bool((values[:3] > values[1:4]).all()), "more blur never scores better"
    assert bool((values[:2] > values[-1]).all()), "sharp but wrong is below what is only a little blurred"
    means = values.mean(dim=1)
    assert bool((means[:-1] > means[1:] + 0.05).all())


def test_ssim_may_prefer_no_texture_to_a_blurred_one_and_texture_agreement_never_does(
    garments: tuple[Tensor, Tensor],
) -> None:
    truth, silhouette = garments
    inside = (silhouette > 0.5).float()
    colour = (truth * inside).sum(dim=(2, 3), keepdim=True) / inside.sum(dim=(2, 3), keepdim=True)
    featureless, right = colour * inside + (1 - inside), blurred(truth, 2)
    assert bool((ssim(featureless, truth) > ssim(right, truth)).any())
    found = (texture_agreement(one, truth, silhouette) for one in (featureless, right))
    assert next(found).max() < next(found).min()


def test_texture_agreement_tolerates_a_small_shift_but_not_a_large_one(garments: tuple[Tensor, Tensor]) -> None:
    truth, silhouette = garments
    near, far = (texture_agreement(truth.roll(by, 3), truth, silhouette) for by in (1, 6))
    assert near.min() > 0.8 and near.mean() > 0.9
    assert bool((far < near).all())
    assert far.mean() < near.mean() - 0.3  # only on average, because a shift along stripes is invisible


def test_texture_agreement_detects_colour_contrast_and_invented_texture() -> None:
    ramp = torch.arange(64).repeat(64, 1)
    stripes = ((ramp // 5) % 2).float()
    inside = torch.ones(1, 1, 64, 64)
    red_green = torch.stack([stripes, 0.509 * (1 - stripes), torch.zeros(64, 64)])[None]  # of equal luminance
    plain = torch.full_like(red_green, 0.4)
    assert texture_agreement(plain, red_green, inside) < 0.1
    assert texture_agreement(red_green, plain, inside) < 0.1
    assert texture_agreement(plain, plain * 0.5, inside) == pytest.approx(1.0)
    assert texture_agreement(red_green.transpose(2, 3), red_green, inside) < 0.3
