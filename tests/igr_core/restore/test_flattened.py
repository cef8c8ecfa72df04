"""Restoring from the photo's own pixels, with the included models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.flatten.flat import check_flattens, lay_out
from igr_core.flatten.model_file import load_flattener
from igr_core.included import INCLUDED_BUNDLE, INCLUDED_FLATTENER
from igr_core.model.config import ViewConfig
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.view import GarmentView, join_views, make_view
from igr_core.restore.detailed import Detailing, restore_detailed
from igr_core.restore.flattened import FlatRestored, restore_flat
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import PRESETS

EXAMPLES = Path(__file__).parents[3] / "nodes" / "examples"
DRAFT = PRESETS["draft"]


@pytest.fixture(scope="module")
def restorer() -> GarmentRestorer:
    restorer = GarmentRestorer.from_bundle(INCLUDED_BUNDLE)
    restorer.flattener = load_flattener(INCLUDED_FLATTENER)
    return restorer


def view_of(restorer: GarmentRestorer, photo: Tensor, mask: Tensor) -> GarmentView:
    config = restorer.info.model
    return make_view(photo, mask, config.native_size, config.view, config.image_encoder.image_size)


def example(restorer: GarmentRestorer, name: str) -> GarmentView:
    return view_of(restorer, load_photo(EXAMPLES / f"{name}.webp"), load_mask(EXAMPLES / f"{name}_mask.png"))


def restored(restorer: GarmentRestorer, view: GarmentView, category: str, **more) -> list[FlatRestored]:
    assert restorer.flattener is not None
    return restore_flat(restorer, restorer.flattener, view, category, DRAFT, **more)


@pytest.mark.parametrize("category", ["upper", "lower", "full"])
def test_the_garment_has_the_colours_of_the_photo(restorer: GarmentRestorer, category: str) -> None:
    view = example(restorer, category)
    (found,) = restored(restorer, view, category)
    image, cloth = found.finished(), lay_out(found.garment.maps, found.garment.photos, (192, 256)).opacity[0] > 0.9
    assert 0.1 < float(cloth.float().mean()) < 0.8
    worn = view.person[0][:, view.mask[0, 0] > 0.9].mean(1)
    flat = image[:, cloth].mean(1)
    assert (flat / flat.sum() - worn / worn.sum()).abs().max() < 0.02
    assert float((flat - worn).mean().abs()) < 0.1  # in another light
    assert (image[:, 0] == 1).all() and (image[:, -1] == 1).all()


def test_a_larger_garment_has_more_detail_but_the_same_look(restorer: GarmentRestorer) -> None:
    (found,) = restored(restorer, example(restorer, "full"), "full")
    small, large = found.finished(), found.at((384, 512))
    assert (torch.nn.functional.avg_pool2d(large, 2) - small).abs().mean() < 0.02
    enlarged = torch.nn.functional.interpolate(small[None], (512, 384), mode="bicubic")[0]
    assert large.diff(dim=2).abs().mean() > enlarged.diff(dim=2).abs().mean()


def test_a_batch_equals_single_runs(restorer: GarmentRestorer) -> None:
    views = [example(restorer, name) for name in ("upper", "lower")]
    together = restored(restorer, join_views(views), ["upper", "lower"], seed=[3, 3])
    for one, view, category in zip(together, views, ("upper", "lower"), strict=True):
        (alone,) = restored(restorer, view, category, seed=3)
        torch.testing.assert_close(one.finished(), alone.finished(), atol=2e-3, rtol=0)


def test_the_seed_changes_hidden_parts_only(restorer: GarmentRestorer) -> None:
    view = example(restorer, "upper")
    one, other = (restored(restorer, view, "upper", seed=seed)[0] for seed in (0, 1))
    known = lay_out(one.garment.maps, one.garment.photos, (192, 256)).known[0] > 0.99
    assert known.any()
    torch.testing.assert_close(one.finished()[:, known], other.finished()[:, known], atol=1e-3, rtol=0)
    assert (one.finished() - other.finished()).abs().max() > 0.02


def test_restore_detailed_uses_the_flattener(restorer: GarmentRestorer) -> None:
    view = example(restorer, "full")
    found = restore_detailed(restorer, [view], "full", Detailing((384, 512)), DRAFT)
    (expected,) = restored(restorer, view, "full")
    torch.testing.assert_close(found.image[0], expected.at((384, 512)), atol=2e-3, rtol=0)
    assert 0.3 < found.seen <= 1 and found.note
    assert found.visible.shape == (1, 1, 256, 192)


def test_a_white_garment_keeps_its_outline_when_it_is_cut_out(restorer: GarmentRestorer) -> None:
    photo, mask = load_photo(EXAMPLES / "upper.webp"), load_mask(EXAMPLES / "upper_mask.png")
    white = view_of(restorer, 0.97 + 0.03 * photo, mask)
    found = restore_detailed(restorer, [white], "upper", Detailing((384, 512)), DRAFT)
    assert found.opacity is not None and found.opacity.shape == (1, 1, 512, 384)
    assert 0.2 < float(found.opacity.mean()) < 0.7 and found.seen > 0.5


def test_the_view_of_the_model_does_not_change_the_map(restorer: GarmentRestorer) -> None:
    photo, mask = load_photo(EXAMPLES / "lower.webp"), load_mask(EXAMPLES / "lower_mask.png")
    config = restorer.info.model
    views = [make_view(photo, mask, config.native_size, ViewConfig(mode), 224) for mode in ("focused", "whole")]
    one, other = (restored(restorer, view, "lower")[0] for view in views)
    assert torch.equal(one.garment.maps[0].flow.place, other.garment.maps[0].flow.place)


def test_an_all_white_photo_gives_a_clean_result(restorer: GarmentRestorer) -> None:
    mask = load_mask(EXAMPLES / "full_mask.png")
    view = view_of(restorer, torch.ones(1, 3, *mask.shape[-2:]), mask)
    (found,) = restored(restorer, view, "full")
    assert bool(found.finished().isfinite().all())


def test_another_aspect_ratio_is_refused_with_the_remedy(restorer: GarmentRestorer) -> None:
    assert restorer.flattener is not None
    with pytest.raises(IGRError, match="laid out flat at 512x512: choose a size in the ratio of 192x256"):
        check_flattens(restorer.flattener, (512, 512))
    check_flattens(restorer.flattener, (768, 1024))
