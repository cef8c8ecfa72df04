"""Evidence as a map, an overlay and a sentence."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from igr_core.detail.evidence import Evidence
from igr_core.detail.report import (
    INVENTED,
    describe,
    draw_evidence,
    evidence_map,
    invented_regions,
    seen_fraction,
)


def garment() -> torch.Tensor:
    """Opacity (1, 60, 60) of a square garment in the middle."""
    alpha = torch.zeros(1, 60, 60)
    alpha[:, 15:45, 15:45] = 1
    return alpha


def test_the_map_follows_the_cells_and_ends_at_the_garment() -> None:
    visible = torch.zeros(6, 6)
    visible[:, :3] = 1
    found = evidence_map(Evidence(visible, torch.zeros(6, 6).long(), visible[None], (None,)), garment())
    assert found.shape == (1, 60, 60)
    assert found[0, 30, 18] == 1 and found[0, 30, 42] == 0 and 0 < found[0, 30, 30] < 1
    assert found[garment() == 0].max() == 0


def test_only_invented_parts_are_tinted() -> None:
    image, visible = torch.full((3, 60, 60), 0.5), garment()
    visible[:, :, 30:] = 0
    drawn = draw_evidence(image, visible, garment())
    assert torch.equal(drawn[:, :, :30], image[:, :, :30]) and torch.equal(drawn[:, :10], image[:, :10])
    tinted = drawn[:, 30, 40]
    nearer = (tinted - torch.tensor(INVENTED)).norm() < (image[:, 30, 40] - torch.tensor(INVENTED)).norm()
    assert bool(nearer)


def test_regions_are_named_by_their_place_in_the_image_largest_first() -> None:
    visible = garment()
    visible[:, 15:25, 15:25] = 0
    visible[:, 35:45, 35:45] = 0.3
    assert invented_regions(visible, garment()) == ["top left", "bottom right"]
    assert describe(visible, garment()) == (
        "19% of the garment was not visible, mostly the top left and the bottom right."
    )
    assert describe(garment(), garment()) == "0% of the garment was not visible."
    assert describe(torch.zeros_like(visible), garment()) == "100% of the garment was not visible."


def test_a_white_image_is_described_as_one() -> None:
    nothing = torch.zeros(1, 60, 60)
    assert describe(nothing, nothing) == "The restored image has no garment: it is white all over."
    assert seen_fraction(nothing, nothing) == 0


@pytest.mark.parametrize("width", [4, 13, 60])
def test_cloth_that_is_visible_everywhere_is_visible_to_its_edges(width: int) -> None:
    """Cells without cloth have no evidence, and must not darken the garment's border."""
    alpha = torch.zeros(1, 60, 60)
    alpha[:, 7:52, 30 - width // 2 : 30 + (width + 1) // 2] = 1
    visible = (F.adaptive_avg_pool2d(alpha, 12)[0] > 0).float()
    found = evidence_map(Evidence(visible, torch.zeros(12, 12).long(), visible[None], (None,)), alpha)
    assert seen_fraction(found, alpha) == pytest.approx(1, abs=1e-5)
    assert torch.allclose(found, alpha)
