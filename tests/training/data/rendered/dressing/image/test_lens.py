"""The lens: product shots stay white, settings have the documented effect, and the noise depends on its seed."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="the lens needs the extra `render`")

from training.data.rendered.dressing.image.lens import Lens, balanced, develop, draw_lens

GREY = np.full((64, 48, 3), 0.2, np.float32)


def test_a_plain_lens_is_the_srgb_curve():
    picture = develop(np.linspace(0, 0.8, 96, dtype=np.float32).reshape(4, 8, 3), Lens(shoulder=1.0))
    linear = np.linspace(0, 0.8, 96)
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(picture.reshape(-1) - expected).max() <= 1


def test_white_stays_white_around_product_shots():
    light = np.ones((64, 48, 3), np.float32)
    light[20:40, 10:30] = (0.3, 0.1, 0.05)
    white = (light == 1).all(-1)
    for seed in range(12):
        lens = replace(draw_lens(np.random.default_rng(seed), product=True), shadow=0.0)
        picture = develop(light, lens, seed, white)
        assert (picture[white] == 255).all()
        assert (picture[~white] < 250).all()


def test_a_products_shadow_is_faint_and_right_below_it():
    light = np.ones((160, 120, 3), np.float32)
    light[40:80, 30:90] = 0.3
    white = (light == 1).all(-1)
    picture = develop(light, Lens(shadow=0.1), 0, white)
    assert 225 < picture[80, 60, 0] < 250
    assert (picture[:30][white[:30]] == 255).all() and (picture[100:] == 255).all()
    assert sum(draw_lens(np.random.default_rng(s), product=True).shadow > 0 for s in range(100)) < 45


def test_a_grey_card_removes_the_colour_cast():
    light = np.full((64, 48, 3), 0.4, np.float32) * np.array([1.3, 1.0, 0.7], np.float32)
    red, green, blue = balanced(Lens(), light, 1.0).balance
    np.testing.assert_allclose([1.3 * red, 0.7 * blue], green, rtol=1e-5)
    assert balanced(Lens(), light, 0.0).balance == (1, 1, 1)


def test_settings_have_the_documented_effect():
    base = develop(GREY, Lens()).astype(int)
    assert (develop(GREY, Lens(exposure=1.5)) > base).all()
    warm = develop(GREY, Lens(balance=(1.1, 1.0, 0.9))).astype(int)
    assert (warm[..., 0] > base[..., 0]).all() and (warm[..., 2] < base[..., 2]).all()
    dark = develop(GREY, Lens(vignette=0.4)).astype(int)
    assert dark[0, 0, 0] < dark[32, 24, 0] - 8
    assert develop(GREY * 20, Lens(exposure=3.0)).min() > 240
    edge = GREY.copy()
    edge[:, 24:] = 0.6
    sharp = develop(edge, Lens())
    for soft in (Lens(blur=4.0), Lens(motion=(16.0, 0.0)), Lens(shrunk=0.4)):
        steps = np.abs(np.diff(develop(edge, soft)[32, :, 0].astype(int)))
        assert steps.max() < np.abs(np.diff(sharp[32, :, 0].astype(int))).max() * 0.8


def test_noise_follows_its_seed_and_strength():
    lens = Lens(noise=4.0)
    assert (develop(GREY, lens, 1) == develop(GREY, lens, 1)).all()
    assert (develop(GREY, lens, 1) != develop(GREY, lens, 2)).any()
    weak, strong = (develop(GREY, replace(lens, noise=n), 1).astype(float).std() for n in (2.0, 6.0))
    assert 2 < strong / weak < 4
    assert abs(develop(GREY, lens, 1).mean() - 123.6) < 0.5


def test_photos_are_drawn_with_many_cameras():
    lenses = [draw_lens(np.random.default_rng(seed)) for seed in range(60)]
    assert len({lens.quality for lens in lenses}) > 15
    assert all(60 <= lens.quality <= 95 for lens in lenses)
    assert any(lens.blur for lens in lenses) and any(any(lens.motion) for lens in lenses)
    assert draw_lens(np.random.default_rng(1)) == draw_lens(np.random.default_rng(1))


def test_a_small_product_shot_can_have_a_shadow():
    light = np.ones((64, 48, 3), np.float32)
    light[20:40, 10:30] = 0.3
    picture = develop(light, Lens(shadow=0.1), 0, (light == 1).all(-1))
    assert picture[40, 20, 0] < 255 and (picture[44:] == 255).all()
