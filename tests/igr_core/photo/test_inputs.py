"""Bad photos, masks, sizes and categories are reported in one sentence with the remedy, before any computation."""

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
        (GOOD_PERSON, GOOD_MASK.mT, ["mask is 40×30", "photo is 30×40", "EXIF", "rotate the mask by 90 degrees"]),
        (GOOD_PERSON, GOOD_MASK * 0, ["mask 1 is empty", "paint"]),
        (GOOD_PERSON, torch.stack([torch.ones(1, 40, 30), torch.zeros(1, 40, 30)]), ["mask 2 is empty"]),
        (GOOD_PERSON, GOOD_MASK * 0.3, ["empty"]),
        (changed(GOOD_PERSON, float("nan")), GOOD_MASK, ["photo contains NaN"]),
        (GOOD_PERSON, changed(GOOD_MASK, float("inf")), ["mask contains NaN or infinite"]),
        (GOOD_PERSON * 255, GOOD_MASK, ["photo has values", "divide them by 255"]),
        (GOOD_PERSON * 2 - 1, GOOD_MASK, ["photo has values", "(x + 1) / 2"]),
        ((GOOD_PERSON * 255).to(torch.uint8), GOOD_MASK, ["photo has torch.uint8", "to float and divide by 255"]),
        ((GOOD_PERSON * 65535).to(torch.uint16), GOOD_MASK, ["photo has torch.uint16", "divide by 65535"]),
        (GOOD_PERSON, (GOOD_MASK * 255).int(), ["mask has torch.int32", "to float and divide by 255"]),
        (GOOD_PERSON, GOOD_MASK.int(), ["mask has torch.int32", "convert them to float."]),
        (GOOD_PERSON, GOOD_MASK.bool(), ["mask has torch.bool values", "convert them to float."]),
        (GOOD_PERSON[0], GOOD_MASK, ["photo has shape (3, 40, 30)"]),
        (GOOD_PERSON[:, :1], GOOD_MASK, ["photo has shape", "(batch, 3, height, width)"]),
        (GOOD_PERSON, GOOD_MASK.expand(-1, 3, -1, -1), ["mask has shape"]),
        (GOOD_PERSON[:0], GOOD_MASK, ["photo has no pixels", "at least one"]),
        (
            torch.rand(3, 3, 40, 30),
            GOOD_MASK,
            ["no way to match 2 masks with 3 photos", "provide one mask per photo, or one mask for all"],
        ),
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
    for text, nearest in (("48x64", "64x85"), ("2049x2732", "1536x2048"), ("2732x2049", "2048x1536")):
        with pytest.raises(IGRError, match=f"nearest is {nearest}"):  # of the same aspect ratio
            parse_size(text, 1)
    for text in ("", "768", "768x", "-64x64", "axb", "64x64x64"):
        with pytest.raises(IGRError, match="such as 768x1024"):
            parse_size(text, 64)
    with pytest.raises(IGRError, match="multiples of 48 from 96 to 2016; the nearest is 96x2016"):
        check_size((1, 5000), 48)


def test_category():
    assert check_category("upper") == "upper"
    with pytest.raises(IGRError, match="'dress': choose upper, lower or full"):
        check_category("dress")


@pytest.mark.parametrize(("wider", "refused"), [(0, True), (2, True), (20, False)])
def test_a_garment_that_is_black_under_a_slightly_larger_mask_is_refused(wider: int, refused: bool):
    person, _ = painted(96, 128, (0, 0, 0, 0))
    person[..., 30:90, 20:70] = 0
    _, mask = painted(96, 128, (20 - wider, 30 - wider, 70 + wider, 90 + wider))
    if refused:
        with pytest.raises(IGRError, match="photo is completely black under its mask"):
            make_view(person, mask, SIZE, WHOLE)
    else:
        make_view(person, mask, SIZE, WHOLE)


def test_a_black_garment_of_a_camera_is_not_refused():
    person, mask = painted(96, 128, (20, 30, 70, 90))
    person[..., 30:90, 20:70] = (torch.rand(3, 60, 50) * 4).floor() / 255
    assert float((person[..., 30:90, 20:70] == 0).all(1).float().mean()) < 0.1
    make_view(person, mask, SIZE, WHOLE)
