"""Some devices have no float64 (Apple MPS, Intel Arc), so data from photos and networks never uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from igr_core.detail.warping import source_photos
from igr_core.flatten.flat import flat_garments, lay_out
from igr_core.flatten.model_file import load_flattener
from igr_core.included import INCLUDED_FLATTENER
from igr_core.model.config import NoiseConfig
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.mask_warnings import mask_warnings
from igr_core.photo.view import ViewConfig, make_view, place
from igr_core.restore.background_removal import garment_alpha, to_rgba
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from igr_core.sampling.schedule import alphas_cumprod
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.sam2_prompt import Prompt
from igr_core.segmentation.segmenter import Segmenter
from tests.support.models.tiny import MODEL
from tests.support.models.tiny_parser import save_parser
from tests.support.models.tiny_sam2 import save_sam2

SIZE = (80, 60)
EXAMPLES = Path(__file__).parents[2] / "nodes" / "examples"


class DeviceWithoutFloat64(TorchDispatchMode):
    """Rejects float64 computed from other tensors, and operations that mix both; float64 alone is allowed."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = {x.dtype for x in tree_leaves((args, kwargs)) if torch.is_tensor(x)}
        made = {x.dtype for x in tree_leaves(out) if torch.is_tensor(x)}
        others = {kind for kind in given - {torch.float64} if kind.is_floating_point or torch.float64 not in given}
        if others and torch.float64 in given | made:
            raise TypeError(f"{func} on {given} gives {made}: this device has no float64")
        return out


def photo_and_mask() -> tuple[Tensor, Tensor]:
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., 10:60, 12:45] = 1
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(1)), mask


def test_the_guard_detects_operations_that_such_a_device_rejects() -> None:
    single, double = torch.ones(2), torch.ones(2, dtype=torch.float64)
    with DeviceWithoutFloat64():
        for refused in (single.double, lambda: torch.add(single, double), lambda: single.to(double)):
            with pytest.raises(TypeError, match="no float64"):
                refused()
        assert (double + double).float().dtype is torch.float32


@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_restoring(bundle: Path, guidance: float) -> None:
    restorer = GarmentRestorer.from_bundle(bundle)
    photo, mask = photo_and_mask()
    with DeviceWithoutFloat64():
        mask_warnings(mask, "upper")
        view = make_view(photo, mask, MODEL.native_size, MODEL.view, MODEL.image_encoder.image_size)
        garment = restorer.restore(view, "upper", Sampling(3, guidance), reference_strength=0.5)
        to_rgba(garment, garment_alpha(garment))


def test_the_default_data_type_of_torch_changes_nothing(bundle: Path) -> None:
    """Another program may have set it to float64 before it calls this library."""

    given = photo_and_mask()

    def images() -> list[Tensor]:
        restorer = GarmentRestorer.from_bundle(bundle)
        view = make_view(*given, MODEL.native_size, MODEL.view, MODEL.image_encoder.image_size)
        restored, (evidence,) = restorer.restore_with_evidence(view, "upper", Sampling(2, 1.5), seed=3)
        flattener = load_flattener(INCLUDED_FLATTENER)
        photo, mask = load_photo(EXAMPLES / "upper.webp"), load_mask(EXAMPLES / "upper_mask.png")
        view = make_view(photo, mask, (192, 256), ViewConfig(), 32)
        (flat,) = flat_garments(flattener, source_photos(view), ["upper"], [(0,)])
        laid_out = lay_out(flat.maps, flat.photos, (192, 256))
        return [
            restored,
            evidence.visible,
            to_rgba(restored, garment_alpha(restored)),
            laid_out.image,
            laid_out.opacity,
        ]

    usual = images()
    torch.set_default_dtype(torch.float64)
    try:
        found = images()
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(usual, found, strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one, other)


def test_masks_by_click_and_by_category(tmp_path: Path) -> None:
    segmenter = Segmenter.from_folder(save_sam2(tmp_path / "sam2"))
    parser = HumanParser.from_folder(save_parser(tmp_path / "parser"))
    photo, mask = photo_and_mask()
    rough = Prompt(positive=((20, 30),), negative=((50, 70),), box=(5, 5, 50, 70), mask=mask)
    with DeviceWithoutFloat64():
        segmenter.masks(segmenter.embed(photo), rough)
        parser.parse(photo)


def test_float64_computations_stay_on_the_cpu() -> None:
    with torch.device("meta"):
        assert alphas_cumprod(NoiseConfig()).device.type == "cpu"
        assert place((12, 10, 45, 60), (60, 80), (48, 64), ViewConfig(mode="focused")).box[0] < 12
        points = place((12, 10, 45, 60), (60, 80), (48, 64), ViewConfig()).to_canvas(torch.zeros(2, 2))
    assert points.device.type == "meta" and points.dtype is torch.float32
