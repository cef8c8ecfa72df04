"""Evidence as a map, an overlay and a sentence."""

from __future__ import annotations

import pytest
import torch

from igr_core.detail.evidence import Evidence
from igr_core.detail.report import INVENTED, describe, draw_evidence, evidence_map, invented_regions
from igr_core.errors import IGRError


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
        "19% of the garment was not visible, mostly at the top left and bottom right."
    )
    assert describe(garment(), garment()) == "0% of the garment was not visible."
    assert describe(torch.zeros_like(visible), garment()) == "100% of the garment was not visible."


def test_a_white_image_has_nothing_to_describe() -> None:
    with pytest.raises(IGRError, match="has no garment"):
        describe(torch.zeros(1, 60, 60), torch.zeros(1, 60, 60))
