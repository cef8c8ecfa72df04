"""Controls: the pasted garment lies as flat garments do, and the nearest garment is a training one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from igr_core.errors import IGRError
from training.data.caches.drawn import DrawConfig, DrawnPairs, draw_shards
from training.evaluation.pictures.answers import FILL, NearestGarment, crop_vectors, pasted_crop, plain_white
from training.prepared.latents import PreparedPairs

COUNT = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pairs, and prepared ones whose features are a vector of their own for each."""
    folder = tmp_path_factory.mktemp("pairs")
    draw_shards(folder, COUNT, 0, DrawConfig((48, 64), (96, 128), crop_size=32), workers=1)
    drawn = DrawnPairs(folder)
    names = ("upper", "lower", "full")
    tensors = {
        "garment_latent": torch.zeros(COUNT, 4, 8, 6),
        "person_latent": torch.zeros(COUNT, 4, 8, 6),
        "mask": torch.zeros(COUNT, 1, 8, 6),
        "image_features": torch.randn(COUNT, 5, 16, generator=torch.Generator().manual_seed(0)).half(),
        "category": torch.tensor([names.index(one) for one in drawn.categories], dtype=torch.uint8),
        "seed": torch.arange(COUNT),
    }
    save_file(tensors, folder / "latents-0.safetensors", metadata={"settings": "{}"})
    return folder


def test_plain_white_is_white() -> None:
    assert bool((plain_white(torch.rand(2, 3, 8, 6)) == 1).all())


@pytest.mark.parametrize("box", [(10, 20, 30, 50), (2, 30, 46, 40), (0, 0, 48, 64)])
def test_pasted_crop_is_centred_and_fills_the_tighter_dimension(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    mask = torch.zeros(1, 1, 64, 48)
    mask[..., top:bottom, left:right] = 1
    pasted = pasted_crop(torch.full((1, 3, 64, 48), 0.2), mask)
    rows, columns = ((pasted < 0.9)[0].any(0).any(dim).nonzero().flatten() for dim in (1, 0))
    height, width = len(rows), len(columns)
    assert max(height / 64, width / 48) == pytest.approx(FILL, abs=0.03)
    assert width / height == pytest.approx((right - left) / (bottom - top), rel=0.1)
    assert abs(int(rows[0]) + int(rows[-1]) - 63) <= 1 and abs(int(columns[0]) + int(columns[-1]) - 47) <= 1
    assert float(pasted[..., 32, 24].max()) == pytest.approx(0.2, abs=0.01)


def test_pasted_crop_hides_what_the_mask_excludes_and_survives_an_empty_mask() -> None:
    person = torch.zeros(1, 3, 64, 48)
    mask = torch.zeros(1, 1, 64, 48)
    assert bool((pasted_crop(person, mask) == 1).all())
    mask[..., 10:20, 10:20] = 1
    mask[..., 13:17, 13:17] = 0
    assert float(pasted_crop(person, mask)[..., 32, 24].min()) > 0.9


def test_nearest_garment_finds_a_training_pair_by_its_own_crop(folder: Path) -> None:
    prepared, drawn = PreparedPairs([folder]), DrawnPairs(folder)
    nearest = NearestGarment(prepared, drawn)
    vectors = crop_vectors(prepared, range(COUNT), batch=3)
    assert nearest.find(vectors, drawn.categories) == list(range(COUNT))
    expected = drawn.take("garment", range(COUNT)).float() / 255
    torch.testing.assert_close(nearest.garments(vectors, drawn.categories), expected)


def test_nearest_garment_stays_in_the_category(folder: Path) -> None:
    prepared, drawn = PreparedPairs([folder]), DrawnPairs(folder)
    nearest = NearestGarment(prepared, drawn)
    wanted = next(one for one in drawn.categories if one != drawn.categories[0])
    (row,) = nearest.find(crop_vectors(prepared, [0]), [wanted])
    assert drawn.categories[row] == wanted


def test_prepared_pairs_that_are_not_drawn_are_named(folder: Path) -> None:
    with pytest.raises(IGRError, match="not among the drawn"):
        NearestGarment(PreparedPairs([folder]), DrawnPairs(folder, limit=3))
