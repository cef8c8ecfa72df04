"""Editing garment masks."""

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.photo.masks import feather_mask, grow_mask, holes, largest_piece, mask_pieces, mend_mask


def square(size: int = 40, start: int = 10, stop: int = 30) -> torch.Tensor:
    mask = torch.zeros(1, 1, size, size)
    mask[..., start:stop, start:stop] = 1
    return mask


def test_growing_and_shrinking_move_the_edge_by_so_many_pixels():
    assert torch.equal(grow_mask(square(), 3), square(start=7, stop=33))
    assert torch.equal(grow_mask(square(), -3), square(start=13, stop=27))


def test_shrinking_a_mask_away_is_refused():
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 8:12, 8:12] = 1  # the second one shows nothing from the start
    assert float(mend_mask(mask, grow=-1).sum()) == 4
    with pytest.raises(IGRError, match="grow = -2 removes all of mask 1: choose a value closer to 0"):
        mend_mask(mask, grow=-2)
    with pytest.raises(IGRError, match="grow = -2 removes all of the mask"):
        mend_mask(mask[:1], grow=-2)


def test_feathering_only_softens_the_edge():
    soft = feather_mask(square(), 4)
    assert (soft[..., 18:22, 18:22] == 1).all() and (soft[..., :5, :] == 0).all()
    assert 0 < soft[0, 0, 10, 20] < 1


def test_holes_are_filled_and_the_outside_is_not():
    mask = square()
    mask[..., 15:18, 15:18] = 0
    mask[..., 20, 10:16] = 0  # a slit from outside
    assert holes(mask > 0.5).sum() == 9
    filled = mend_mask(mask, fill_holes=True)
    assert filled[0, 0, 16, 16] == 1 and filled[0, 0, 20, 12] == 0 and filled[0, 0, 0, 0] == 0


def test_only_the_largest_piece_of_each_mask_is_kept():
    both = square()
    both[..., 2:5, 2:5] = 1
    other = both.flip(-1)
    kept = largest_piece(torch.cat([both, other, torch.zeros_like(both)]) > 0.5)
    assert torch.equal(kept, torch.cat([square(), square().flip(-1), torch.zeros_like(both)]) > 0.5)


def test_large_images_keep_their_largest_piece_to_the_pixel():
    mask = torch.zeros(1, 1, 600, 800)
    mask[..., 100:401, 150:333] = 1
    mask[..., 500:520, 700:720] = 1
    kept = largest_piece(mask > 0.5)
    mask[..., 500:520, 700:720] = 0
    assert torch.equal(kept, mask > 0.5)


def test_a_mask_that_needs_no_repair_is_unchanged():
    assert mend_mask(square()) is not None and torch.equal(mend_mask(square()), square())


def test_pieces_have_their_fraction_and_box_with_the_largest_first():
    mask = torch.zeros(1, 1, 60, 90)
    mask[..., 5:15, 3:13] = 1
    mask[..., 20:50, 40:50] = 1
    assert mask_pieces(mask > 0.5) == ((0.75, (40, 20, 50, 50)), (0.25, (3, 5, 13, 15)))
    ((share, box),) = mask_pieces(torch.ones(1, 1, 700, 300) > 0.5)
    assert share == 1 and box == (0, 0, 300, 700)


def test_pieces_of_a_large_image_are_reported_to_a_coarse_cell():
    mask = torch.zeros(1, 1, 960, 480)
    mask[..., 100:400, 101:301] = 1
    mask[..., 600:700, 101:301] = 1
    (upper, box), (lower, _) = mask_pieces(mask > 0.5)
    assert (upper, lower) == (0.75, 0.25)
    assert all(abs(side - exact) <= 10 for side, exact in zip(box, (101, 100, 301, 400), strict=True))
    mask[..., 400:600, 101:301] = 1
    assert len(mask_pieces(mask > 0.5)) == 1


def test_feathering_that_removes_a_mask_is_refused():
    mask = torch.zeros(1, 1, 90, 60)
    mask[..., 30:50, 20:40] = 1
    with pytest.raises(IGRError, match="feather = 40 removes all of the mask: choose a value closer to 0"):
        mend_mask(mask, feather=40)
