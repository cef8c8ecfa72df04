"""Refining a parser's mask: the segmenter determines the edges, and the parser determines what belongs to the
garment."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.photo.images import load_mask, load_photo, save_image
from igr_core.photo.overlay import overlay
from igr_core.segmentation.refinement import EDGE, POINTS, ROUNDS, Ask, refine_mask
from igr_core.segmentation.sam2_prompt import Prompt, deepest_point, spread_points
from igr_core.segmentation.segmenter import Segmenter
from tests.support.host.server import ROOT, UPDATE
from tests.support.models.tiny_sam2 import build_sam2

HEIGHT, WIDTH = 400, 300
WIDTH_OF_AN_EDGE = 2 * round(EDGE * HEIGHT)


def area(left: int, top: int, right: int, bottom: int) -> Tensor:
    """A mask (1, 1, H, W) of a rectangle."""
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., top:bottom, left:right] = 1
    return mask


def ragged(mask: Tensor, by: int = 3) -> Tensor:
    """The mask with steps of `by` pixels at its edges, like a coarse parser's."""
    teeth = (torch.arange(HEIGHT)[:, None] // by + torch.arange(WIDTH) // by) % 2 == 0
    wider = torch.nn.functional.max_pool2d(mask, 2 * by + 1, stride=1, padding=by)
    return torch.where((wider > mask) & teeth, 1.0, mask)


class Fake:
    """Returns the parts that contain a point of the prompt, and records the prompts."""

    def __init__(self, *parts: Tensor, scores: Sequence[float] = ()) -> None:
        self.parts, self.scores = parts, scores or [0.5] * len(parts)
        self.prompts: list[Prompt] = []

    def __call__(self, prompt: Prompt) -> tuple[Tensor, Tensor]:
        prompt.check((WIDTH, HEIGHT))
        self.prompts.append(prompt)
        return torch.cat(self.parts), torch.tensor(list(self.scores))


def in_turn(*answers: Tensor) -> Callable[[Prompt], tuple[Tensor, Tensor]]:
    """Returns one mask after another."""
    left = list(answers)
    return lambda prompt: (left.pop(0), torch.tensor([0.9]))


DRESS = area(80, 60, 220, 360)
BODICE, SKIRT = area(80, 60, 220, 180), area(80, 180, 220, 360)
TROUSERS = area(90, 200, 210, 390)
SHIRT = area(90, 60, 210, 200)
NOTHING = torch.zeros(1, 1, HEIGHT, WIDTH)


def test_edges_come_from_the_segmenter() -> None:
    done = refine_mask(ragged(DRESS), Fake(DRESS))
    assert torch.equal(done.mask, DRESS) and 0.9 < done.found < 1
    wide = area(74, 54, 226, 366)
    assert torch.equal(refine_mask(DRESS, Fake(wide)).mask, wide)  # the parser's mask was too tight


def test_a_buttoned_dress_stays_complete_if_sam_2_finds_half_of_it() -> None:
    done = refine_mask(ragged(DRESS), Fake(BODICE))
    assert (done.mask * DRESS).sum() == DRESS.sum()
    assert torch.equal(done.mask * BODICE, BODICE) and 0.3 < done.found < 0.5
    assert not (done.mask * (1 - ragged(DRESS))).any()


def test_the_other_half_is_prompted_for_with_its_box_and_a_rough_mask() -> None:
    fake = Fake(BODICE)
    answers = iter([BODICE, SKIRT])

    def ask(prompt: Prompt) -> tuple[Tensor, Tensor]:
        fake(prompt)
        return next(answers), torch.tensor([0.9])

    done = refine_mask(ragged(DRESS), ask)
    assert torch.equal(done.mask, DRESS) and done.found > 0.9
    first, second = fake.prompts
    assert first.mask is None and second.mask is not None
    assert first.box is not None and first.box[1] < 60 and first.box[3] > 359
    assert second.box is not None and 170 < second.box[1] < 185 and second.mask[..., :175, :].sum() == 0
    assert all(180 <= y < 360 for _, y in second.positive)


def test_parts_far_beyond_the_parsers_mask_are_dropped() -> None:
    assert torch.equal(refine_mask(SHIRT, Fake(torch.maximum(SHIRT, TROUSERS))).mask, SHIRT)
    person = area(20, 10, 280, 395)
    assert torch.equal(refine_mask(SHIRT, Fake(person)).mask, SHIRT)


def test_the_candidate_that_agrees_best_counts_whatever_its_score() -> None:
    fake = Fake(area(120, 80, 140, 100), SHIRT, area(20, 10, 280, 395), scores=(0.99, 0.2, 0.9))
    assert torch.equal(refine_mask(ragged(SHIRT), fake).mask, SHIRT) and len(fake.prompts) == 1


@pytest.mark.parametrize("answer", [NOTHING, area(5, 5, 60, 40)], ids=["nothing", "something else"])
def test_a_result_outside_the_parsers_mask_leaves_it_unchanged(answer: Tensor) -> None:
    fake = Fake(answer)
    done = refine_mask(SHIRT, fake)
    assert torch.equal(done.mask, SHIRT) and done.found == 0 and len(fake.prompts) == ROUNDS


def test_specks_are_neither_prompted_for_nor_restored() -> None:
    speck = area(280, 380, 283, 383)
    fake = Fake(SHIRT)
    done = refine_mask(torch.maximum(SHIRT, speck), fake)
    assert torch.equal(done.mask, SHIRT)
    assert fake.prompts[0].box is not None and fake.prompts[0].box[2] < 220


def test_a_garment_cut_in_two_by_a_bag_keeps_both_parts_and_the_bag_out() -> None:
    left, right = area(80, 100, 140, 250), area(170, 100, 230, 250)
    fake = Fake(left)
    done = refine_mask(torch.maximum(left, right), fake)
    assert torch.equal(done.mask, torch.maximum(left, right))
    assert {x < 150 for x, _ in fake.prompts[0].positive} == {True, False}  # a point on each part


def test_holes_and_islands_of_the_answer_are_not_the_garments() -> None:
    pierced = SHIRT * (1 - area(140, 120, 146, 126))
    assert torch.equal(refine_mask(SHIRT, Fake(torch.maximum(pierced, area(240, 60, 246, 66)))).mask, SHIRT)
    neck = SHIRT * (1 - area(140, 60, 146, 120))  # open to the outside
    strap = torch.maximum(neck, area(95, 20, 100, 60))
    assert torch.equal(refine_mask(SHIRT, Fake(strap)).mask, strap)
    sleeve_hole = SHIRT * (1 - area(120, 100, 130, 110))  # the parser's own
    assert torch.equal(refine_mask(sleeve_hole, Fake(sleeve_hole)).mask, sleeve_hole)


def test_an_edges_width_is_the_measure() -> None:
    """Up to this width, the segmenter decides about missing parts at an edge; beyond it, the parser does."""
    for width, kept in ((WIDTH_OF_AN_EDGE, False), (WIDTH_OF_AN_EDGE + 1, True)):
        answer = SHIRT * (1 - area(90, 60, 90 + width, 200))
        assert torch.equal(refine_mask(SHIRT, Fake(answer)).mask, SHIRT if kept else answer), width


def test_narrow_garments_are_not_taken_for_edges() -> None:
    sash = area(100, 60, 106, 300)
    assert torch.equal(refine_mask(sash, Fake(NOTHING)).mask, sash)
    pixel = area(299, 399, 300, 400)
    assert torch.equal(refine_mask(pixel, Fake(NOTHING)).mask, pixel)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(IGRError, match="The mask is empty"):
        refine_mask(NOTHING, Fake(SHIRT))


def test_large_photos_are_judged_on_cells_and_keep_every_pixel() -> None:
    large = torch.nn.functional.interpolate(ragged(DRESS), scale_factor=5)
    bodice, dress = (torch.nn.functional.interpolate(one, scale_factor=5) for one in (BODICE, DRESS))
    done = refine_mask(large, in_turn(bodice, bodice, bodice))
    assert done.mask.shape == large.shape and torch.equal(done.mask * bodice, bodice)
    assert (done.mask * dress).sum() == dress.sum()
    assert torch.equal(refine_mask(large, in_turn(dress)).mask, dress)


def test_a_real_segmenter_is_used_and_never_cuts_much() -> None:
    segmenter = Segmenter(build_sam2())
    embedding = segmenter.embed(torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)))
    ask: Ask = lambda prompt: segmenter.masks(embedding, prompt)  # noqa: E731
    done = refine_mask(DRESS, ask)
    assert set(done.mask.unique().tolist()) == {0.0, 1.0}
    overlap = (done.mask * DRESS).sum() / torch.maximum(done.mask, DRESS).sum()
    assert overlap > 0.7, "random weights: nothing but edges may differ"


def test_points_are_spread_over_parts_and_stay_inside() -> None:
    both = torch.maximum(area(10, 10, 110, 110), area(150, 10, 230, 90))
    first, second, *more = spread_points(torch.maximum(both, area(5, 390, 9, 394)), POINTS)
    assert first == deepest_point(both) and not more
    assert 150 <= second[0] < 230 and 10 <= second[1] < 90
    assert len(spread_points(DRESS, 2)) == 2
    dots = torch.zeros(1, 1, 1600, 1200)
    dots[..., 701, 501] = 1  # between the cells of the coarse grid
    assert spread_points(dots, POINTS) == ((501.0, 701.0),)


def test_the_example_dress_stays_complete_if_sam_2_only_finds_its_bodice() -> None:
    """With IGR_UPDATE=1, also draws the image of the help page: the parser's labels, SAM 2's mask, and the result."""
    photo = load_photo(ROOT / "nodes" / "examples" / "full.webp")
    dress = load_mask(ROOT / "nodes" / "examples" / "full_mask.png").round()
    height, width = dress.shape[-2:]
    coarse = torch.nn.functional.interpolate(dress, scale_factor=1 / 12, mode="area") >= 0.3
    parsed = torch.nn.functional.interpolate(coarse.float(), (height, width))
    rows = torch.arange(height)[:, None]
    bodice = dress * (rows < 0.6 * height)
    done = refine_mask(parsed, lambda prompt: (bodice, torch.tensor([0.9])))
    lost = (1 - done.mask) * dress
    assert lost.sum() / dress.sum() < 0.02 and 0.2 < done.found < 0.8
    assert torch.equal(done.mask[..., : height // 4, :], bodice[..., : height // 4, :])
    if UPDATE:
        tint = torch.where(rows < 0.6 * height, 0.0, 1.0) * parsed * photo.new_tensor([0.3, 0.0, -0.2]).view(3, 1, 1)
        shown = [(overlay(photo, parsed) + tint).clamp(0, 1), overlay(photo, bodice), overlay(photo, done.mask)]
        gap = torch.ones(1, 3, height, 18)
        sheet = torch.cat([shown[0], gap, shown[1], gap, shown[2]], -1)
        sheet = torch.nn.functional.interpolate(sheet, scale_factor=0.55, mode="bilinear", antialias=True)
        save_image(ROOT / "web" / "docs" / "img" / "IGRGarmentByCategory_rule.jpg", sheet)
