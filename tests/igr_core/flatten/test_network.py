"""The flattening network and its file."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from igr_core.errors import IGRError
from igr_core.flatten.model_file import KEY, load_flattener, save_flattener
from igr_core.flatten.network import CELL, Flattener, FlattenerConfig, coordinates
from igr_core.included import INCLUDED_BUNDLE, INCLUDED_FLATTENER

TINY = FlattenerConfig((48, 64), (8, 8, 16, 16), layers=1, heads=2)


@pytest.fixture(scope="module")
def network() -> Flattener:
    torch.manual_seed(0)
    return Flattener(TINY).eval()


@torch.no_grad()
def test_there_is_one_prediction_per_cell_and_one_opacity_per_pixel(network: Flattener) -> None:
    found = network(torch.rand(2, 4, 64, 48), torch.tensor([0, 2]))
    cells = (64 // CELL, 48 // CELL)
    assert found.place.shape == (2, 2, *cells) and found.visible.shape == found.spread.shape == (2, 1, *cells)
    assert found.opacity.shape == (2, 1, 64, 48) and (found.spread > 0).all()
    assert [tuple(one.shape[-2:]) for one in found.coarse] == [(4, 3), (8, 6)]


@torch.no_grad()
def test_photos_of_a_batch_do_not_affect_each_other(network: Flattener) -> None:
    photos, categories = torch.rand(2, 4, 64, 48), torch.tensor([0, 1])
    both = network(photos, categories)
    for row in range(2):
        alone = network(photos[row : row + 1], categories[row : row + 1])
        torch.testing.assert_close(both.place[row], alone.place[0])
        torch.testing.assert_close(both.opacity[row], alone.opacity[0])


@torch.no_grad()
def test_category_and_mask_matter(network: Flattener) -> None:
    photo = torch.rand(1, 4, 64, 48)
    upper = network(photo, torch.tensor([0])).place
    masked = torch.cat([photo[:, :3], 1 - photo[:, 3:]], 1)
    assert (network(photo, torch.tensor([1])).place - upper).abs().max() > 1e-6
    assert (network(masked, torch.tensor([0])).place - upper).abs().max() > 1e-6


def test_coordinates_are_those_of_grid_sample() -> None:
    image = torch.rand(1, 2, 5, 7)
    same = torch.nn.functional.grid_sample(image, coordinates(image).movedim(1, -1), align_corners=False)
    torch.testing.assert_close(same, image)


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ({"size": (50, 64)}, "size is 50x64: use multiples of 16"),
        ({"widths": (8, 8, 16, 20)}, "use multiples of 8"),
        ({"heads": 3}, "that the number of heads divides"),
        ({"layers": 0}, "layers is 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict, problem: str) -> None:
    given = {"size": (48, 64), "widths": (8, 8, 16, 16), "layers": 1, "heads": 2} | sizes
    with pytest.raises(IGRError, match=problem):
        FlattenerConfig(**given)


def test_a_saved_network_predicts_the_same(network: Flattener, tmp_path: Path) -> None:
    save_flattener(tmp_path / "flattener.safetensors", network)
    again = load_flattener(tmp_path / "flattener.safetensors")
    assert again.config == TINY and not again.training
    photo = torch.rand(1, 4, 64, 48)
    with torch.no_grad():
        apart = (again(photo, torch.tensor([0])).place - network(photo, torch.tensor([0])).place).abs().max()
    assert apart < 2e-3  # half precision


def changed(path: Path, network: Flattener, how: str) -> None:
    save_flattener(path, network)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
        return
    weights, header = (
        load_file(path),
        {KEY: json.dumps({"size": [48, 64], "widths": [8, 8, 16, 16], "layers": 1, "heads": 2})},
    )
    if how == "missing":
        del weights["first.bias"]
    elif how == "nan":
        weights["first.bias"][0] = torch.nan
    elif how == "no header":
        header = {"format": "pt"}
    elif how == "damaged header":
        header = {KEY: "{"}
    else:
        header = {KEY: json.dumps({"layers": 10**9})}
    save_file(weights, path, header)


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("cut", "cannot be read as a flattener"),
        ("missing", "does not match its own config in first.bias"),
        ("nan", "contains NaN, infinite or integer values in first.bias"),
        ("no header", "is not a flattener"),
        ("damaged header", "has a damaged header"),
        ("too large", "layers is 1000000000"),
    ],
)
def test_a_damaged_file_is_one_sentence(network: Flattener, tmp_path: Path, how: str, problem: str) -> None:
    path = tmp_path / "flattener.safetensors"
    changed(path, network, how)
    with pytest.raises(IGRError, match=f"{re.escape(str(path))}.*{problem}.*[:;] "):
        load_flattener(path)


def test_another_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="is not a flattener: use an intact file"):
        load_flattener(INCLUDED_BUNDLE)
    with pytest.raises(IGRError, match=r"none\.safetensors does not exist"):
        load_flattener(tmp_path / "none.safetensors")


def test_the_included_network_is_small() -> None:
    assert INCLUDED_FLATTENER.stat().st_size < 8e6
    assert load_flattener(INCLUDED_FLATTENER).config == FlattenerConfig()
