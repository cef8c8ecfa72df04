"""Choosing attention heads by pairs with a known correspondence."""

from __future__ import annotations

import torch

from igr_core.model.igr import IGR
from tests.support.models.tiny import MODEL
from training.detail.heads import Sampled, candidates, fit_heads, true_cells, true_places


def sampled(generator: torch.Generator, count: int = 400, cells: int = 30) -> Sampled:
    """Two heads that find the position, one for half of the cells and one in general, and one that finds nothing."""
    true = torch.randint(cells, (count,), generator=generator)
    knows = torch.randn(count, 3, cells, generator=generator)
    knows[torch.arange(count), 0, true] += 3.0
    odd = torch.arange(count) % 2 == 1
    knows[torch.arange(count)[odd], 1, true[odd]] += 3.0
    return Sampled(knows.log_softmax(-1), true)


HEADS = [("up_blocks.1.attentions.0", 0), ("up_blocks.1.attentions.0", 1), ("mid_block.attentions.0", 0)]


def test_heads_are_weighted_by_their_information() -> None:
    fitted = fit_heads(sampled(torch.Generator().manual_seed(0)), HEADS)
    weights = {(head.block, head.head): head.weight for head in fitted.readout.heads}
    assert weights[HEADS[0]] > 2 * weights[HEADS[1]] > 0
    assert weights.get(HEADS[2], 0.0) < 0.1
    assert fitted.nats < fitted.best_head_nats


def test_an_uninformative_head_is_dropped() -> None:
    one = sampled(torch.Generator().manual_seed(1))
    flat = one.log_attention.clone()
    flat[:, 2] = -torch.tensor(30.0).log()
    flat[torch.arange(400), 2, (one.true + 7) % 30] += 4
    fitted = fit_heads(Sampled(flat.log_softmax(-1), one.true), HEADS)
    assert HEADS[2] not in {(head.block, head.head) for head in fitted.readout.heads}


def test_true_cells_are_those_that_most_of_a_cell_shows() -> None:
    y, x = torch.meshgrid((torch.arange(8) + 0.5) / 8, (torch.arange(6) + 0.5) / 6, indexing="ij")
    whole = torch.stack([1 - x, y])  # the mirrored position
    assert true_cells(whole, (8, 6)).tolist()[:6] == [5, 4, 3, 2, 1, 0]
    hidden = whole.clone()
    hidden[:, :2, :] = torch.nan
    hidden[:, 2, 1] = torch.nan
    coarse = true_cells(hidden, (4, 3))
    assert (coarse[:3] == -1).all()
    assert (coarse[3:] >= 0).all()
    assert true_places(hidden, (4, 3))[:, 1:].isfinite().all()


def test_candidates_are_all_heads_of_levels_that_can_be_read() -> None:
    model = IGR(MODEL)
    everything = candidates(model, (8, 6))
    assert len(everything) == 2 * len({block for block, _ in everything})
    assert {block.split(".")[0] for block, _ in everything} == {"down_blocks", "mid_block", "up_blocks"}
    large = candidates(model, (128, 96))
    assert {block for block, _ in large} < {block for block, _ in everything}
