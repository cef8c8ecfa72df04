"""Prints: every font can draw every word, held-out words are separate, and prints stay within their area."""

import numpy as np
import pytest

from training.data.rendered.dressing.cloth.pictures import PICTURES, draw_picture
from training.data.rendered.dressing.cloth.prints import (
    FONTS,
    FORMS,
    HELD_OUT_WORDS,
    MASTER,
    WORDS,
    Art,
    Placed,
    draw_art,
    draw_words,
    master,
    render_print,
)

INKS = ((250, 250, 250), (206, 44, 52))


def art(form: str, **changes) -> Art:
    values = dict(lines=("WAVES",), font=0, stretch=1.0, arched=0.0, outline=False, mark="star", frame="none", seed=1)
    return Art(form=form, inks=INKS, **{**values, **changes})


@pytest.mark.parametrize("font", range(len(FONTS)))
def test_every_font_has_ink_for_letters_and_digits(font):
    for text in ("HORIZON", "slow", "1984"):
        image = np.asarray(master(art("words", lines=(text,), font=font)))
        assert (image[..., 3] > 128).mean() > 0.12, (FONTS[font], text)


def test_fonts_differ():
    pictures = {master(art("words", lines=("RANGERS",), font=font)).tobytes() for font in range(len(FONTS))}
    assert len(pictures) == len(FONTS)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_fills_its_master(form):
    mark = "landscape" if "picture" in form else "heart"
    image = master(art(form, mark=mark))
    assert max(image.size) == MASTER and image.mode == "RGBA"
    assert np.asarray(image)[..., 3].max() == 255


@pytest.mark.parametrize("kind", PICTURES)
def test_images_follow_their_seed(kind):
    first, again, other = (np.asarray(draw_picture(kind, seed, INKS[0], "none")) for seed in (1, 1, 2))
    assert (first == again).all() and first[..., 3].max() == 255
    assert (first != other).any()


def test_held_out_words_are_never_trained_on():
    assert not set(WORDS) & set(HELD_OUT_WORDS)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        assert set(draw_words(rng, True, 2)) <= set(HELD_OUT_WORDS)
        assert not set(draw_words(rng, False, 3)) & set(HELD_OUT_WORDS)
    numbers = {
        held: {draw_art(np.random.default_rng(s), INKS, held, "number").lines for s in range(200)} for held in (0, 1)
    }
    assert not numbers[0] & numbers[1]


def test_a_print_has_the_same_shape_at_every_resolution():
    placed = Placed("front", (0.0, 0.2), 0.2, art("words"))
    coarse, fine = render_print(placed, 150.0), render_print(placed, 600.0)
    assert coarse.shape[1] == 30 and fine.shape[1] == 120
    assert abs(coarse[..., 3].mean() - fine[..., 3].mean()) < 0.02
    assert fine[..., 3].min() >= 0 and fine[..., 3].max() <= 1
