"""From attention to the probability that a part was visible, and to the choice among candidates."""

import pytest
import torch

from igr_core.detail.evidence import UNFITTED, find_evidence
from igr_core.detail.readout import Correspondence
from igr_core.detail.report import seen_fraction
from igr_core.errors import IGRError
from igr_core.model.detail_config import FEATURES, EvidenceConfig

SHAPE = (16, 12)
HEIGHT, WIDTH = SHAPE


def grid() -> torch.Tensor:
    y, x = torch.meshgrid((torch.arange(HEIGHT) + 0.5) / HEIGHT, (torch.arange(WIDTH) + 0.5) / WIDTH, indexing="ij")
    return torch.stack([x, y])


def found(hidden: torch.Tensor, photos: int = 1) -> Correspondence:
    """Sharp attention in the mask, except for `hidden` cells (n, h, w), where it is spread over the whole photo."""
    generator = torch.Generator().manual_seed(0)
    wild = torch.rand((photos, 2, *SHAPE), generator=generator)
    sharp = torch.where(hidden, 0.15, 0.95)
    return Correspondence(
        place=torch.where(hidden[:, None], wild, grid().expand(photos, -1, -1, -1)),
        sharpness=sharp,
        spread=torch.where(hidden, 0.3, 0.02),
        share=sharp / sharp.sum(0),
        mass=torch.where(hidden.all(0), 0.2, 0.9),
        inside=torch.where(hidden, 0.4, 0.98),
    )


def left() -> torch.Tensor:
    return (grid()[0] < 0.5)[None]


GARMENT = torch.ones(SHAPE)


def test_hidden_cells_have_little_evidence_even_without_fitted_coefficients():
    evidence = find_evidence(found(left()), GARMENT, 0.75, UNFITTED)
    assert evidence.visible[left()[0]].max() < 0.3
    assert evidence.visible[~left()[0]].min() > 0.7
    assert 0.45 < seen_fraction(evidence.visible, GARMENT) < 0.62


def test_the_map_of_hidden_cells_continues_that_of_their_neighbours():
    flow = find_evidence(found(left()), GARMENT, 0.75, UNFITTED).flows[0]
    assert flow is not None
    assert (flow.place - grid()).norm(dim=0)[:, 4:].max() < 0.02


def test_two_photos_that_hide_different_halves_show_everything():
    evidence = find_evidence(found(torch.cat([left(), ~left()]), 2), GARMENT, 0.75, UNFITTED)
    assert evidence.visible.min() > 0.7
    assert torch.equal(evidence.best, left()[0].long())


def test_attention_without_a_place_gives_no_evidence_at_all():
    evidence = find_evidence(found(torch.ones(1, *SHAPE, dtype=torch.bool)), GARMENT, 0.75, UNFITTED)
    assert evidence.visible.max() < 0.3


def test_the_background_has_no_evidence():
    garment = GARMENT.clone()
    garment[:4] = 0
    evidence = find_evidence(found(torch.zeros(1, *SHAPE, dtype=torch.bool)), garment, 0.75, UNFITTED)
    assert evidence.visible[:4].max() == 0


def test_coefficients_are_counted_and_bounded():
    with pytest.raises(IGRError, match="coefficients has 2 entries"):
        EvidenceConfig((1.0, 2.0))
    with pytest.raises(IGRError, match="coefficients"):
        EvidenceConfig((float("nan"), *UNFITTED.coefficients[1:]))
    assert len(UNFITTED.coefficients) == len(FEATURES)


def test_a_white_image_has_no_visible_fraction():
    assert seen_fraction(torch.zeros(SHAPE), torch.zeros(SHAPE)) == 0
