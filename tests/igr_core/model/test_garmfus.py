"""GarmFus (Eq. 4): own queries give the same as the paper's concatenation, and the arithmetic around it."""

from __future__ import annotations

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.garmfus import (
    Position,
    RowPlan,
    attend,
    concatenated_self_attention,
    image_prompt_attention,
    level_shape,
    reference_self_attention,
    sincos_position,
)


def tensors(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_own_queries_equal_concatenate_and_keep_half(heads: int) -> None:
    own, other = (2, 48, 64), (2, 30, 64)
    q, k, v, rq, rk, rv = tensors(own, own, own, other, other, other)
    kept = concatenated_self_attention(q, k, v, rq, rk, rv, heads)
    assert (reference_self_attention(q, k, v, rk, rv, heads) - kept).abs().max() < 1e-5


def test_reference_strength_fades_to_plain_self_attention() -> None:
    q, k, v, rk, rv = tensors(*[(1, 20, 16)] * 5)
    plain = attend(q, k, v, 2)
    full = reference_self_attention(q, k, v, rk, rv, 2)
    distances = [
        (reference_self_attention(q, k, v, rk, rv, 2, strength) - plain).norm() for strength in (1e-6, 0.1, 0.5, 1.0)
    ]
    assert distances[0] < 1e-3
    assert all(a < b for a, b in zip(distances, distances[1:], strict=False))
    assert torch.equal(reference_self_attention(q, k, v, rk, rv, 2, 1.0), full)


def test_reference_strength_two_counts_the_reference_twice() -> None:
    q, k, v, rk, rv = tensors(*[(1, 20, 16)] * 5)
    twice = reference_self_attention(q, k, v, torch.cat([rk, rk], 1), torch.cat([rv, rv], 1), 2)
    assert torch.allclose(reference_self_attention(q, k, v, rk, rv, 2, 2.0), twice, atol=1e-5)


def test_image_prompt_term_scales_with_its_strength() -> None:
    q, k, v = tensors((2, 20, 16), (2, 4, 16), (2, 4, 16))
    assert torch.allclose(image_prompt_attention(q, k, v, 2, 0.5) * 2, image_prompt_attention(q, k, v, 2))


@pytest.mark.parametrize("source", [(0, 1, 2), (-1, -1, 0, 1), (0, 1, -1, -1), (1, -1, 0, 1, -1), (-1, -1)])
def test_rows_go_to_their_function_and_back_to_their_position(source: tuple[int, ...]) -> None:
    plan = RowPlan(source)
    rows = torch.arange(len(source) * 3.0).view(len(source), 3, 1)
    done = plan.by_rows(lambda x: x + 100, lambda x: x + 200, rows)
    assert torch.equal(done, rows + torch.tensor([100.0 if s < 0 else 200.0 for s in source]).view(-1, 1, 1))


@pytest.mark.parametrize("source", [(-1, 0), (0, -1), (0, -1, 1), (0, 1)])
def test_several_tensors_are_divided_in_the_same_way(source: tuple[int, ...]) -> None:
    first, second = torch.arange(1.0, len(source) + 1), torch.arange(len(source)) * 10.0
    done = RowPlan(source).by_rows(lambda x, y: x + y, lambda x, y: x - y, first, second)
    assert done.tolist() == [x - y if s >= 0 else x + y for x, y, s in zip(first, second, source, strict=True)]


def test_repeated_rows_keep_their_reference() -> None:
    assert RowPlan((-1, 0, 1)).repeated(2).source == (-1, -1, 0, 0, 1, 1)


def test_pick_gives_each_row_its_own_reference() -> None:
    references = torch.arange(3.0).view(3, 1, 1)
    assert RowPlan((2, -1, 0, 0)).pick(references).flatten().tolist() == [2, 0, 0]
    assert RowPlan((-1, 0, 1, 2)).pick(references) is references


def test_several_references_are_concatenated() -> None:
    references = torch.arange(6.0).view(3, 2, 1)
    assert RowPlan(((2, 0), -1, (1, 1))).pick(references).flatten(1).tolist() == [[4, 5, 0, 1], [2, 3, 2, 3]]
    with pytest.raises(ValueError, match="different numbers"):
        RowPlan(((2, 0), 1)).pick(references)


@pytest.mark.parametrize("every", [False, True])
def test_rows_with_equally_many_references_are_computed_together(every: bool) -> None:
    plan = RowPlan(((0, 1), -1, 1, (2, 0), (2,)), every_branch=every)
    references = torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1)

    def add(part: RowPlan, numbers: list[int], rows: torch.Tensor) -> torch.Tensor:
        seen.append(numbers)
        return rows + part.pick(references).sum(1, keepdim=True)

    seen: list[list[int]] = []
    done = plan.by_count(add, torch.zeros(4, 1, 1))
    assert done.flatten().tolist() == [11, 10, 101, 100]
    assert seen == [[0, 3], [2, 4]]


def test_packed_conditions_are_grouped_by_their_number_of_tokens() -> None:
    counts = (2, 1, 3)
    packed = torch.tensor([1.0, 2, 10, 100, 200, 300]).view(1, 6, 1)
    plan = RowPlan((-1, 2, (0, 1), 1, (1, 0)))

    def add(part: RowPlan, numbers: list[int], rows: torch.Tensor) -> torch.Tensor:
        seen.append(numbers)
        return rows + part.pick(packed, counts).sum(1, keepdim=True)

    seen: list[list[int]] = []
    assert plan.by_count(add, torch.zeros(4, 1, 1), counts=counts).flatten().tolist() == [600, 13, 10, 13]
    assert seen == [[1, 2, 4], [3]]
    with pytest.raises(ValueError, match="different numbers of tokens"):
        plan.pick(packed, counts)
    both = RowPlan(((0, 1, 2), (0, 1, 2))).pick(packed, counts)
    assert both.shape == (2, 6, 1) and both.data_ptr() == packed.data_ptr(), "the same tokens, without a copy"


def test_index_tensors_are_made_once() -> None:
    plan = RowPlan((1, -1, 0, 1, -1))
    references = torch.arange(2.0).view(2, 1, 1)
    plan.pick(references)
    made = dict(plan._indices)
    assert made and plan.pick(references).flatten().tolist() == [1, 0, 1]
    assert all(plan._indices[name] is tensor for name, tensor in made.items())


def test_sincos_position_is_scale_free_and_distinguishes_positions() -> None:
    coarse = sincos_position(8, 6, 64, 2.5, "cpu", torch.float32)[0]
    fine = sincos_position(16, 12, 64, 2.5, "cpu", torch.float32)[0].view(8, 2, 6, 2, 64).mean((1, 3)).view(48, 64)
    closest = (coarse @ fine.T).argmax(1)
    assert torch.equal(closest, torch.arange(48))
    assert coarse.abs().max() <= 2.5


def test_part_of_an_image_has_the_positions_of_its_place():
    whole = sincos_position(16, 12, 64, 2.5, "cpu", torch.float32)[0].view(16, 12, 64)
    part = Position((16, 6), 2.5, (0.0, 6 / 16, 1.0, 12 / 16))
    assert torch.allclose(part(torch.zeros(1, 96, 64))[0].view(16, 6, 64), whole[:, 6:], atol=1e-4)
    coarse = sincos_position(8, 6, 64, 2.5, "cpu", torch.float32)[0].view(8, 6, 64)
    assert torch.allclose(part(torch.zeros(1, 24, 64))[0].view(8, 3, 64), coarse[:, 3:], atol=1e-4)


def test_level_shape_follows_the_unet_down() -> None:
    assert [level_shape(n, (32, 24)) for n in (768, 192, 48)] == [(32, 24), (16, 12), (8, 6)]
    assert level_shape(6 * 5, (12, 9)) == (6, 5)
    with pytest.raises(
        IGRError, match="has 100 tokens, which match no level of a latent of 24×32 cells: remove whatever resizes"
    ):
        level_shape(100, (32, 24))


@pytest.mark.parametrize("source", [(0, 1), (-1, -1), (1, -1, 0)])
def test_every_branch_gives_the_same_and_reaches_every_weight(source: tuple[int, ...]) -> None:
    """For sharded training, all weights of the conditions have a gradient, which is zero if no row has the
    condition."""
    conditions = torch.randn(2, 3, 1, requires_grad=True)
    rows = torch.arange(len(source) * 3.0).view(len(source), 3, 1)

    def run(plan: RowPlan) -> torch.Tensor:
        return plan.by_rows(lambda x: x * 2, lambda x: x + plan.pick(conditions), rows)

    every = RowPlan(source, every_branch=True)
    assert torch.equal(run(every), run(RowPlan(source)))
    assert every.used and RowPlan(source).used == (max(source) >= 0)
    run(every).sum().backward()
    assert conditions.grad is not None and bool(conditions.grad.any()) == (max(source) >= 0)
