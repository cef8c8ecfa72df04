"""Reading positions from attention with a known answer."""

import pytest
import torch

from igr_core.detail.heads import cells_at, default_readout
from igr_core.detail.readout import Readout
from igr_core.errors import IGRError
from igr_core.model.config import UNetConfig
from igr_core.model.detail_config import HeadConfig, ReadoutConfig
from igr_core.model.garmfus import Noted

BLOCK, SHAPE = "up_blocks.1.attentions.0", (8, 6)
CELLS = SHAPE[0] * SHAPE[1]


def attending(cells: torch.Tensor, photos: int = 1, sharp: float = 30.0, own: float = 0.0, row: int = 0) -> Noted:
    """A row whose second head attends from cell n to reference cell `cells[n]`, and to its own cell n if `own` > 0."""
    width = CELLS * (photos + 1)
    query, key, own_key = torch.zeros(1, CELLS, 2 * width), torch.zeros(1, CELLS * photos, 2 * width), None
    query[0, torch.arange(CELLS), width + cells] = sharp * width**0.5
    query[0, torch.arange(CELLS), width + CELLS * photos + torch.arange(CELLS)] = own * width**0.5
    key[0, torch.arange(CELLS * photos), width + torch.arange(CELLS * photos)] = 1.0
    own_key = torch.zeros(1, CELLS, 2 * width)
    own_key[0, torch.arange(CELLS), width + CELLS * photos + torch.arange(CELLS)] = 1.0
    return Noted([row], query, key, own_key, 2)


def read(noted: Noted, masks: torch.Tensor, block: str = BLOCK):
    config = ReadoutConfig((HeadConfig(block, 1, 1.0),), steps=1)
    readout = Readout(config, SHAPE, 1)
    readout.add({block: [noted]})
    return readout.correspondences([masks])[0]


def centres(cells: torch.Tensor) -> torch.Tensor:
    x = (cells % SHAPE[1] + 0.5) / SHAPE[1]
    y = (cells // SHAPE[1] + 0.5) / SHAPE[0]
    return torch.stack([x, y]).view(2, *SHAPE)


def test_positions_are_where_the_attention_peaks():
    cells = torch.arange(CELLS).flip(0)
    found = read(attending(cells), torch.ones(1, 1, 32, 24))
    torch.testing.assert_close(found.place[0], centres(cells), atol=1e-4, rtol=0)
    assert found.sharpness.min() > 0.99
    assert found.spread.max() < 0.01


def test_flat_attention_is_not_sharp():
    found = read(attending(torch.arange(CELLS), sharp=0.0), torch.ones(1, 1, 32, 24))
    assert found.sharpness.max() <= 25 / CELLS + 1e-6
    assert found.spread.min() > 0.2


def test_mass_is_the_fraction_that_goes_to_the_reference():
    equal = read(attending(torch.arange(CELLS), own=30.0), torch.ones(1, 1, 32, 24))
    torch.testing.assert_close(equal.mass, torch.full(SHAPE, 0.5), atol=1e-4, rtol=0)
    all_of_it = read(attending(torch.arange(CELLS)), torch.ones(1, 1, 32, 24))
    assert all_of_it.mass.min() > 0.999


def test_shares_identify_the_attended_photo():
    second = torch.arange(CELLS) + CELLS
    found = read(attending(second, photos=2), torch.ones(2, 1, 32, 24))
    assert found.share[1].min() > 0.999
    torch.testing.assert_close(found.place[1], centres(second - CELLS), atol=1e-4, rtol=0)


def test_inside_follows_each_photos_mask():
    mask = torch.zeros(1, 1, 32, 24)
    mask[..., :16, :] = 1
    found = read(attending(torch.arange(CELLS)), mask)
    torch.testing.assert_close(found.inside[0, :4], torch.ones(4, 6), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.inside[0, 4:], torch.zeros(4, 6), atol=1e-3, rtol=0)


def test_rows_of_other_garments_are_kept_apart():
    config = ReadoutConfig((HeadConfig(BLOCK, 1, 1.0),), steps=1)
    readout = Readout(config, SHAPE, 2)
    forward, backward = torch.arange(CELLS), torch.arange(CELLS).flip(0)
    readout.add({BLOCK: [attending(backward, row=1), attending(forward, row=0)]})
    first, second = readout.correspondences([torch.ones(1, 1, 8, 6)] * 2)
    torch.testing.assert_close(first.place[0], centres(forward), atol=1e-4, rtol=0)
    torch.testing.assert_close(second.place[0], centres(backward), atol=1e-4, rtol=0)


def test_without_reference_attention_there_is_nothing_to_read():
    readout = Readout(ReadoutConfig((HeadConfig(BLOCK, 1, 1.0),)), SHAPE, 1)
    with pytest.raises(IGRError, match="reference strength"):
        readout.correspondences([torch.ones(1, 1, 8, 6)])


def test_default_heads_are_the_finest_that_fit():
    igr_small = UNetConfig(block_out_channels=(64, 128, 128), attention_levels=(True,) * 3, attention_head_width=64)
    blocks = [
        "down_blocks.0.attentions.0",
        "mid_block.attentions.0",
        "up_blocks.0.attentions.0",
        "up_blocks.2.attentions.0",
    ]
    small = default_readout(blocks, igr_small, (32, 24))
    assert {head.block for head in small.heads} == {"up_blocks.2.attentions.0"}
    assert [head.head for head in small.heads] == [0]
    large = default_readout(blocks, igr_small, (256, 192))
    assert {head.block for head in large.heads} == {"mid_block.attentions.0", "up_blocks.0.attentions.0"}
    assert cells_at("down_blocks.1.attentions.0", 4, (9, 7)) == 20
