"""Bad photos, masks, sizes and categories (DESIGN section 9): one sentence with the remedy, before any work."""

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.photo.inputs import check_category, check_size, parse_size
from igr_core.photo.view import make_view

SIZE, WHOLE = (96, 128), ViewConfig("whole")


def painted(width: int, height: int, box: tuple[int, int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A random photo and a mask that is 1 in the box (left, top, right, bottom)."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., box[1] : box[3], box[0] : box[2]] = 1
    return torch.rand(1, 3, height, width), mask


GOOD_PERSON, GOOD_MASK = torch.rand(2, 3, 40, 30), torch.ones(2, 1, 40, 30)


def changed(image: torch.Tensor, value: float) -> torch.Tensor:
    image = image.clone()
    image[0, 0, 3, 4] = value
    return image


@pytest.mark.parametrize(
    ("person", "mask", "words"),
    [
        (GOOD_PERSON, GOOD_MASK[..., :20], ["mask is 20×40", "photo is 30×40", "resize the mask to 30×40"]),
        (GOOD_PERSON, GOOD_MASK * 0, ["mask 1 is empty", "paint"]),
        (GOOD_PERSON, torch.stack([torch.ones(1, 40, 30), torch.zeros(1, 40, 30)]), ["mask 2 is empty"]),
        (GOOD_PERSON, GOOD_MASK * 0.3, ["empty"]),
        (changed(GOOD_PERSON, float("nan")), GOOD_MASK, ["photo contains NaN"]),
        (GOOD_PERSON, changed(GOOD_MASK, float("inf")), ["mask contains NaN or infinite"]),
        (GOOD_PERSON * 255, GOOD_MASK, ["photo has values", "divide them by 255"]),
        (GOOD_PERSON * 2 - 1, GOOD_MASK, ["photo has values", "(x + 1) / 2"]),
        ((GOOD_PERSON * 255).to(torch.uint8), GOOD_MASK, ["photo has torch.uint8", "divide by 255"]),
        (GOOD_PERSON[0], GOOD_MASK, ["photo has shape (3, 40, 30)"]),
        (GOOD_PERSON[:, :1], GOOD_MASK, ["photo has shape", "(batch, 3, height, width)"]),
        (GOOD_PERSON, GOOD_MASK.expand(-1, 3, -1, -1), ["mask has shape"]),
        (GOOD_PERSON[:0], GOOD_MASK, ["photo is empty", "at least one"]),
        (torch.rand(3, 3, 40, 30), GOOD_MASK, ["3 photos but 2 masks"]),
        (torch.rand(1, 3, 1, 1), torch.ones(1, 1, 1, 1), ["photo is 1×1", "16×16"]),
    ],
)
def test_bad_input_gets_one_sentence_with_the_remedy(person, mask, words):
    with pytest.raises(IGRError) as caught:
        make_view(person, mask, SIZE, WHOLE)
    for word in words:
        assert word in str(caught.value)


def test_sizes():
    assert parse_size("768x1024", 64) == parse_size(" 768 × 1024 ", 64) == (768, 1024)
    for text, nearest in (("770x1000", "768x1024"), ("8x9999", "64x2048"), ("0x0", "64x64")):
        with pytest.raises(IGRError, match=nearest):
            parse_size(text, 64)
    for text in ("", "768", "768x", "-64x64", "axb", "64x64x64"):
        with pytest.raises(IGRError, match="such as 768x1024"):
            parse_size(text, 64)
    with pytest.raises(IGRError, match="multiples of 48 from 96 to 2016; the nearest is 96x2016"):
        check_size((1, 5000), 48)


def test_category():
    assert check_category("upper") == "upper"
    with pytest.raises(IGRError, match="'dress': choose upper, lower or full"):
        check_category("dress")
