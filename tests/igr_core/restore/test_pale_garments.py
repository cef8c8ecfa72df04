"""White and pale garments keep their cloth when the background is removed, and dark ones keep their holes and slits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from igr_core.restore.background_removal import cutout_warnings, garment_alpha
from tests.bench.cutouts import by_threshold, shares
from training.data.contract.seeds import HELD_OUT_START
from training.data.synthetic import make_pair

WHITE_GARMENT = HELD_OUT_START + 50
"""A held-out seed of a white garment."""


def shirt(cloth: float, outline: float, gap: int = 0, height: int = 256, width: int = 192) -> torch.Tensor:
    """A pale rectangle with a darker outline of one pixel, open over `gap` pixels at its top, on white."""
    image = torch.ones(1, 3, height, width)
    image[..., 40:200, 30:160] = outline
    image[..., 41:199, 31:159] = cloth
    middle = width // 2
    image[..., 40, middle : middle + gap] = cloth
    return image


def noisy(image: torch.Tensor, spread: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return (image + spread * torch.randn(image.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("cloth", [0.98, 0.96, 0.945])
@pytest.mark.parametrize("gap", [0, 4])
def test_cloth_that_is_almost_white_is_kept(cloth: float, gap: int) -> None:
    alpha = garment_alpha(shirt(cloth, 0.8, gap))[0, 0]
    assert float(alpha[46:194, 36:154].mean()) > 0.999 and float(alpha[:36].max()) == 0


def test_cloth_as_white_as_the_background_is_kept_behind_a_pale_outline_with_a_gap() -> None:
    alpha = garment_alpha(shirt(1.0, 0.85, gap=4))[0, 0]
    assert float((alpha[46:194, 36:154] > 0.5).float().mean()) > 0.99 and float(alpha[:36].max()) == 0


def test_cloth_without_an_outline_is_kept_if_it_differs_from_the_background() -> None:
    alpha = garment_alpha(noisy(shirt(0.95, 0.95), 0.002))[0, 0]
    assert float((alpha[46:194, 36:154] > 0.5).float().mean()) > 0.99 and float((alpha[:30] > 0.5).float().mean()) == 0


def test_a_hole_of_a_dark_garment_stays_clear_behind_a_narrow_gap() -> None:
    """Between a sleeve and the body, for example."""
    image = shirt(0.2, 0.2)
    image[..., 80:150, 60:100] = 1
    image[..., 100:104, 20:60] = 1  # 4 pixels wide, to the background
    alpha = garment_alpha(image)[0, 0]
    assert float(alpha[84:146, 64:96].max()) == 0 and float(alpha[101:103, 34:58].max()) == 0


def test_the_shade_around_a_dark_garment_is_background() -> None:
    image = shirt(0.2, 0.2)
    shade = F.avg_pool2d(F.pad(1 - image, (3, 3, 3, 3)), 7, 1)
    image = torch.where(image == 1, (1 - 0.05 * (shade > 0).float()), image)  # a rim of 3 pixels, 5 % darker
    alpha = garment_alpha(image)[0, 0]
    assert float((alpha[:38] > 0.5).float().mean()) == 0 and float(alpha[48:192, 38:152].min()) == 1


def test_noise_of_the_background_is_not_cloth() -> None:
    alpha = garment_alpha(noisy(shirt(0.4, 0.4), 0.015))[0, 0]
    assert float((alpha[:34] > 0.5).float().mean()) < 0.001


def test_a_white_held_out_garment_keeps_cloth_that_a_threshold_removes() -> None:
    pair = make_pair(WHITE_GARMENT, (192, 256), coarse=0.16)
    image, cover = (torch.from_numpy(np.array(one)).float() / 255 for one in (pair.garment, pair.garment_silhouette))
    image = (image.permute(2, 0, 1)[None] * 1.06).clamp(0, 1)  # models often make white garments too bright
    cover = cover[None, None] > 0.5
    lost, _ = shares(by_threshold(image), cover)
    kept_lost, added = shares(garment_alpha(image) >= 0.5, cover)
    assert lost > 0.05 and kept_lost < lost / 3 and added < 0.01


def test_an_uncertain_cut_out_is_reported() -> None:
    sure = shirt(0.4, 0.4)
    assert cutout_warnings(sure, garment_alpha(sure)) == ()
    faint = shirt(0.93, 0.93)
    faint[..., 41:110, 30:160] = 0.995  # the upper half is as white as the background
    alpha = (faint < 0.999).float()[:, :1]
    (sentence,) = cutout_warnings(faint, alpha)
    assert "as white as its background along" in sentence and "check its edges" in sentence
    mask = torch.zeros(1, 1, 256, 192)
    mask[..., 50:150, 50:150] = 1
    holes = garment_alpha(sure)
    holes[..., 60:190, 45:150] = 0
    (sentence,) = cutout_warnings(sure, holes, mask)
    assert "covers much less of its bounding box than the mask" in sentence
    assert len(cutout_warnings(sure.repeat(2, 1, 1, 1), holes.repeat(2, 1, 1, 1), mask)) == 2


def test_a_garment_that_vanishes_in_its_background_is_reported() -> None:
    image = shirt(0.975, 0.975)
    down, across = torch.meshgrid(torch.linspace(-1, 1, 256), torch.linspace(-1, 1, 192), indexing="ij")
    ground = 1 - 0.025 * (down**2 + across**2)  # darker towards the corners
    image = torch.where(image == 1, ground, image)
    alpha = garment_alpha(image)
    assert float(alpha.max()) < 0.5
    (sentence,) = cutout_warnings(image, alpha, torch.ones(1, 1, 256, 192))
    assert "was not found on its background, so the cut-out is empty: keep the white background" in sentence


def test_half_a_garment_that_is_missing_is_reported() -> None:
    image = shirt(0.2, 0.2)
    image[..., 95:] = 1
    mask = torch.zeros(1, 1, 256, 192)
    mask[..., 30:220, 20:170] = 1
    (sentence,) = cutout_warnings(image, garment_alpha(image), mask)
    assert "much narrower than the mask in the photo: check it for missing parts" in sentence
    assert cutout_warnings(shirt(0.2, 0.2), garment_alpha(shirt(0.2, 0.2)), mask) == ()
