"""Pruned reference tokens: which ones are kept, and that strength 0, batches and Eq. 4 work as without pruning."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.garmfus import attend
from igr_core.model.igr import IGR
from igr_core.model.pruning import Kept, join, prune, take
from igr_core.model.pruning_config import ALL, NEAR, Pruning
from tests.support.models.tiny import MODEL

CATEGORIES = ["upper", "lower", "full"]
SHAPE = (12, 10)


def masks() -> torch.Tensor:
    """Masks of three garments of different sizes: 1 x 1, 3 x 2 and 2 x 4 cells."""
    mask = torch.zeros(3, 1, *SHAPE)
    mask[0, 0, 5, 4] = 1
    mask[1, 0, 1:4, 1:3] = 0.5
    mask[2, 0, 9:11, 6:10] = 1
    return mask


@pytest.fixture(scope="module", params=["none", "sincos"])
def model(request: pytest.FixtureRequest) -> IGR:
    torch.manual_seed(3)
    model = IGR(dataclasses.replace(MODEL, reference_position=request.param)).eval().requires_grad_(False)
    for prompt in model.prompts.values():
        prompt.normal_()
    return model


@pytest.fixture(scope="module")
def inputs(model: IGR) -> dict:
    generator = torch.Generator().manual_seed(5)
    person, latent = (torch.randn(3, 4, *SHAPE, generator=generator) for _ in range(2))
    return {
        "latent": latent,
        "timestep": torch.tensor([999, 500, 20]),
        "whole": model.encode_reference(person, masks(), CATEGORIES),
    }


def grid(shape: tuple[int, int], cells: torch.Tensor) -> torch.Tensor:
    found = torch.zeros(shape).flatten()
    found[cells] = 1
    return found.view(shape)


def denoise(model: IGR, inputs: dict, rows: list, order: list[int], pruning: Pruning = NEAR, **options) -> torch.Tensor:
    features, kept = prune(inputs["whole"], masks(), pruning)
    return denoise_with(model, inputs, features, kept, rows, order, **options)


def denoise_with(
    model: IGR, inputs: dict, features: dict, kept: Kept, rows: list, order: list[int], **options
) -> torch.Tensor:
    fusion = model.fusion(inputs["latent"], rows, features, [-1] * len(rows), None, kept=kept, **options)
    text = model.text([CATEGORIES[place] for place in order])
    return model.denoise(inputs["latent"][order], inputs["timestep"][order], text, fusion)


def test_cells_in_and_around_the_mask_are_kept_at_each_level() -> None:
    features = {"fine": torch.randn(3, 120, 8), "coarse": torch.randn(3, 30, 16)}
    short, kept = prune(features, masks(), Pruning(1))
    fine, coarse = kept["fine"], kept["coarse"]
    assert fine.shape == SHAPE and coarse.shape == (6, 5)
    expected = torch.zeros(SHAPE)
    expected[4:7, 3:6] = 1
    assert torch.equal(grid(SHAPE, fine.cells[0]), expected)
    expected = torch.zeros(6, 5)
    expected[1:4, 1:4] = 1  # the masked cell is (2, 2) at this level
    assert torch.equal(grid((6, 5), coarse.cells[0]), expected)
    assert fine.counts == (9, 20, 20)
    assert short["fine"].shape == (1, 49, 8)
    pieces = short["fine"].split(fine.counts, 1)
    for number, cells in enumerate(fine.cells):
        assert torch.equal(pieces[number][0], features["fine"][number, cells])


@pytest.mark.parametrize(("margin", "count"), [(0, 1), (1, 9), (2, 25)])
def test_the_margin_is_counted_in_cells(margin: int, count: int) -> None:
    _, kept = prune({"fine": torch.randn(3, 120, 8)}, masks(), Pruning(margin))
    assert kept["fine"].counts[0] == count


def test_odd_levels_round_up() -> None:
    _, kept = prune({"coarse": torch.randn(1, 3 * 2, 8)}, torch.eye(5)[None, None, :, :3], Pruning(0))
    assert kept["coarse"].shape == (3, 2) and kept["coarse"].cells[0].tolist() == [0, 3]


def test_features_of_another_size_are_refused() -> None:
    with pytest.raises(IGRError, match="100 tokens do not match any level"):
        prune({"fine": torch.randn(3, 100, 8)}, masks(), NEAR)


def test_without_pruning_nothing_changes() -> None:
    features = {"fine": torch.randn(3, 120, 8)}
    assert prune(features, masks(), ALL) == (features, {})
    short, kept = prune(features, torch.ones(3, 1, *SHAPE), NEAR)
    assert short["fine"] is features["fine"] and not kept


@pytest.mark.parametrize("value", [0.0, 0.005, 0.7])
def test_a_mask_that_covers_everything_or_nothing_keeps_everything(value: float) -> None:
    mask = masks()
    mask[1] = value
    _, kept = prune({"fine": torch.randn(3, 120, 8)}, mask, NEAR)
    assert kept["fine"].counts == (9, 120, 20)


def test_references_can_be_taken_and_joined(inputs: dict) -> None:
    pruned = prune(inputs["whole"], masks(), NEAR)
    parts = [take(*pruned, slice(number, number + 1)) for number in range(3)]
    joined, kept = join(parts)
    for name, value in joined.items():
        assert torch.equal(value, pruned[0][name])
        assert kept[name].shape == pruned[1][name].shape
        assert all(torch.equal(*pair) for pair in zip(kept[name].cells, pruned[1][name].cells, strict=True))


def test_pruned_and_whole_references_can_be_joined(model: IGR, inputs: dict) -> None:
    first = take(*prune(inputs["whole"], masks(), NEAR), slice(0, 1))
    second = take(inputs["whole"], {}, slice(1, 2))
    joined, kept = join([first, second])
    both = denoise_with(model, inputs, joined, kept, [0, 1], [0, 1])
    assert torch.allclose(both[:1], denoise(model, inputs, [0], [0]), atol=1e-5)
    assert torch.allclose(both[1:], denoise(model, inputs, [1], [1], ALL), atol=1e-5)
    unpruned, nothing = join([second, second])
    assert not nothing and all(value.shape[0] == 2 for value in unpruned.values())


def test_pruned_tokens_have_no_weight_and_the_others_keep_theirs(model: IGR, inputs: dict) -> None:
    """The same as the whole reference with a mask of minus infinity on the tokens that were pruned."""
    _, kept = prune(inputs["whole"], masks(), NEAR)
    by_tokens = {one.whole: one for one in kept.values()}

    def masked(query, key, value, heads, mask):  # noqa: ANN001, ANN202
        own = query.shape[1]
        if key.shape[1] == 2 * own:
            keep = by_tokens[own].cells[0]
            mask = query.new_full((1, 1, 1, 2 * own), float("-inf"))
            mask[..., keep] = 0
            mask[..., own:] = 0
        return attend(query, key, value, heads, mask)

    pruned = denoise(model, inputs, [0], [0])
    whole = denoise(model, inputs, [0], [0], ALL)
    model.use_attention(masked)
    try:
        expected = denoise(model, inputs, [0], [0], ALL)
    finally:
        model.use_attention(attend)
    assert (pruned - expected).abs().max() < 1e-5
    assert (pruned - whole).abs().max() > 1e-3


def test_a_margin_that_keeps_everything_is_the_unpruned_model_bit_for_bit(model: IGR, inputs: dict) -> None:
    rows = order = [0, 1, 2]
    assert torch.equal(denoise(model, inputs, rows, order, Pruning(64)), denoise(model, inputs, rows, order, ALL))


def test_split_rows_equal_one_batch_in_any_order(model: IGR, inputs: dict) -> None:
    rows, order = [-1, 2, 0, -1, 1, 2, (1, 0)], [0, 2, 0, 1, 1, 0, 2]
    batch = denoise(model, inputs, rows, order)
    for row, (source, place) in enumerate(zip(rows, order, strict=True)):
        assert (denoise(model, inputs, [source], [place])[0] - batch[row]).abs().max() < 1e-5, source
    turned = denoise(model, inputs, rows[::-1], order[::-1])
    assert (turned.flip(0) - batch).abs().max() < 1e-5


def test_several_photos_are_concatenated_whatever_their_order(model: IGR, inputs: dict) -> None:
    one, other = (denoise(model, inputs, [photos], [0]) for photos in ((0, 2), (2, 0)))
    assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(one, denoise(model, inputs, [0], [0]), atol=1e-4)
    twice = denoise(model, inputs, [(1, 1)], [0])
    assert torch.allclose(twice, denoise(model, inputs, [1], [0], reference_strength=2.0), atol=1e-5)


def test_strength_0_and_rows_without_a_reference_are_the_plain_model(model: IGR, inputs: dict) -> None:
    order = [0, 1, 2]
    text = model.text(CATEGORIES)
    plain = model.denoise(inputs["latent"], inputs["timestep"], text, None)
    assert torch.equal(denoise(model, inputs, order, order, reference_strength=0.0), plain)
    assert torch.equal(denoise(model, inputs, [-1] * 3, order), plain)
    mixed = denoise(model, inputs, [-1, 0, -1], order)
    assert torch.allclose(mixed[[0, 2]], plain[[0, 2]], atol=1e-5)


def test_kept_keys_and_values_change_nothing(model: IGR, inputs: dict) -> None:
    features, kept = prune(inputs["whole"], masks(), NEAR)
    fusion = model.fusion(inputs["latent"], [2, 0, 1], features, [-1] * 3, None, keep=True, kept=kept)
    arguments = inputs["latent"], inputs["timestep"], model.text(CATEGORIES), fusion
    first, second = model.denoise(*arguments), model.denoise(*arguments)
    assert torch.equal(first, second)
    assert torch.equal(first, denoise(model, inputs, [2, 0, 1], [0, 1, 2]))


def test_recorded_attention_knows_the_cells_of_its_tokens(model: IGR, inputs: dict) -> None:
    features, kept = prune(inputs["whole"], masks(), NEAR)
    fusion = model.fusion(inputs["latent"], [(0, 1), -1, 2], features, [-1] * 3, None, kept=kept)
    block = "down_blocks.0.attentions.0"
    fusion.notes = {block: []}
    model.denoise(inputs["latent"], inputs["timestep"], model.text(CATEGORIES), fusion)
    whole = SHAPE[0] * SHAPE[1]
    by_rows = {noted.rows[0]: noted for noted in fusion.notes[block]}
    both, single = by_rows[0], by_rows[2]
    assert both.cells is not None and single.cells is not None
    assert both.whole == 2 * whole and single.whole == whole
    assert torch.equal(both.cells[0], torch.cat([kept[block].cells[0], kept[block].cells[1] + whole]))
    assert torch.equal(single.cells[0], kept[block].cells[2])
    assert both.reference_key.shape[1] == 29 and single.reference_key.shape[1] == 20
