"""Looks: skin, eyes, hair, shoes and bags are well-formed surfaces in their places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.data.rendered.base.surfaces import Surface
from training.data.rendered.people.bags import BAG_KINDS, Bag, occluder_surfaces
from training.data.rendered.people.body import TEMPLATE_SHAPES, Body, draw_shape, make_body
from training.data.rendered.people.hair import STYLES, Hair
from training.data.rendered.people.joints import joints_of
from training.data.rendered.people.looks import Look, draw_look, person_surfaces, pulled_in
from training.data.rendered.people.poses import named_pose
from training.data.rendered.people.shoes import SHOE_KINDS, Shoe


@pytest.fixture(scope="module")
def posed() -> tuple[Body, np.ndarray]:
    """A woman with hanging arms."""
    body = make_body(TEMPLATE_SHAPES["female"])
    return body, body.transforms(named_pose("arms_away", body).rotations)


def of_kind(surfaces: list[Surface], kind: str) -> list[Surface]:
    """The surfaces of one kind."""
    return [surface for surface in surfaces if surface.kind == kind]


def volume(surface: Surface) -> float:
    """Signed volume, which is positive for a closed mesh that faces outwards."""
    corners = surface.vertices[surface.faces] - surface.vertices.mean(0)
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def test_every_surface_is_well_formed(posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    rng = np.random.default_rng(0)
    for _ in range(6):
        for surface in person_surfaces(body, transforms, draw_look(rng, body)):
            assert np.isfinite(surface.vertices).all(), surface.kind
            assert surface.faces.min() >= 0
            assert surface.faces.max() < len(surface.vertices)
            assert surface.paint is not None
            assert surface.paint.shape == (len(surface.vertices), 3)
            assert surface.paint.min() >= 0
            assert surface.paint.max() <= 1.0001
            assert surface.paint.dtype == np.float32


def test_the_same_seed_gives_the_same_person() -> None:
    def person() -> list[Surface]:
        rng = np.random.default_rng(9)
        body = make_body(draw_shape(rng))
        return person_surfaces(body, body.transforms({}), draw_look(rng, body))

    for first, again in zip(person(), person(), strict=True):
        assert np.array_equal(first.vertices, again.vertices)
        assert np.array_equal(first.faces, again.faces)


@pytest.mark.parametrize("style", STYLES)
def test_hair_is_on_the_head_and_hangs_as_far_as_its_style(style: str, posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    hair = of_kind(person_surfaces(body, transforms, Look(hair=Hair(style, length=0.3))), "hair")
    if style == "bald":
        assert not hair
        return
    joints = joints_of(body, transforms)
    top, low = hair[0].vertices[:, 2].max(), hair[0].vertices[:, 2].min()
    assert top > joints["left_eye"][2] + 0.08
    hangs = style in ("bob", "long", "shoulders", "ponytail")
    assert (low < joints["neck"][2] + 0.03) == hangs
    in_front = hair[0].vertices[(hair[0].vertices[:, 2] < joints["neck"][2]), 1]
    if style == "shoulders":
        assert in_front.min() < joints["neck"][1] - 0.05
    if style == "long":
        assert in_front.min() > joints["neck"][1] - 0.05


def test_hair_leaves_the_face_free(posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    joints = joints_of(body, transforms)
    for style in STYLES[1:]:
        for hair in of_kind(person_surfaces(body, transforms, Look(hair=Hair(style))), "hair"):
            before = np.abs(hair.vertices[:, 0]) < 0.045
            before &= np.abs(hair.vertices[:, 2] - joints["nose"][2]) < 0.03
            assert not (hair.vertices[before, 1] < joints["left_ear"][1] - 0.03).any(), style


@pytest.mark.parametrize("kind", SHOE_KINDS)
def test_shoes_have_soles_below_the_feet_and_end_at_their_shaft(kind: str, posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    shoes = of_kind(person_surfaces(body, transforms, Look(shoe=Shoe(kind, 0.09, 0.02))), "shoe")
    if kind == "barefoot":
        assert not shoes
        return
    heights = shoes[0].vertices[:, 2]
    assert heights.min() == pytest.approx(-0.02, abs=0.004)
    assert heights.max() < 0.13
    sole = shoes[0].paint[:, 1] > 0.9
    assert heights[sole].max() < 0.02


@pytest.mark.parametrize("kind", BAG_KINDS)
def test_bags_hang_beside_the_body(kind: str, posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    bags = of_kind(person_surfaces(body, transforms, Look(bag=Bag(kind, "L"))), "bag")
    if kind == "none":
        assert not bags
        return
    main = bags[0].paint[:, 0] > 0.5
    assert bags[0].vertices[main, 0].mean() > 0.15
    assert 0.1 < bags[0].vertices[main, 2].mean() < 1.2


def test_a_bag_is_not_hung_from_busy_hands() -> None:
    body = make_body(TEMPLATE_SHAPES["female"])
    transforms = body.transforms(named_pose("hands_on_hips", body).rotations)
    assert not of_kind(person_surfaces(body, transforms, Look(bag=Bag("handbag"))), "bag")


def test_an_occluder_is_in_front_of_the_person(posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    for seed in range(6):
        thing = occluder_surfaces(np.random.default_rng(seed), body, transforms, 1.1)[0]
        width = np.ptp(thing.vertices[:, 0])
        assert width > 0.3
        assert thing.vertices[:, 1].mean() < -0.15


def test_lips_brows_and_nails_are_painted_where_they_are(posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    skin = of_kind(person_surfaces(body, transforms, Look(make_up=1.0)), "skin")[0]
    joints = joints_of(body, transforms)
    lips = skin.vertices[skin.paint[:, 0] > 0.5]
    dark = skin.vertices[skin.paint[:, 1] > 0.6]
    nails = skin.vertices[skin.paint[:, 2] > 0.6]
    assert np.abs(lips[:, 2] - (joints["nose"][2] - 0.035)).max() < 0.04
    assert np.abs(dark[:, 2] - joints["left_eye"][2]).max() < 0.05
    fingers = np.linalg.norm(nails - joints["left_wrist"], axis=1) < 0.25
    assert fingers.sum() > 10


def test_eyes_have_a_pupil_in_front(posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    eye = of_kind(person_surfaces(body, transforms, Look()), "eye")[0]
    pupils = eye.vertices[eye.paint[:, 2] > 0.8]
    joints = joints_of(body, transforms)
    assert len(pupils) >= 2
    far = [np.linalg.norm(pupils - joints[f"{side}_eye"], axis=1) for side in ("left", "right")]
    assert np.minimum(*far).max() < 0.006


def test_covered_skin_is_pulled_in_and_the_rest_is_not(posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    part = body.part("body")
    covered = part.weights[:, body.index("spine03")] > 0.3
    moved = np.linalg.norm(pulled_in(part.vertices, part.triangles, covered) - part.vertices, axis=1)
    assert not moved[~covered].any()
    assert moved[covered].max() == pytest.approx(0.010, abs=0.0005)
    plain = of_kind(person_surfaces(body, transforms, Look()), "skin")[0]
    less = of_kind(person_surfaces(body, transforms, Look(), covered=covered), "skin")[0]
    assert np.array_equal(plain.faces, less.faces)
    assert volume(less) < volume(plain)


def test_thicker_hair_reaches_higher(posed: tuple[Body, np.ndarray]) -> None:
    body, transforms = posed
    thin, thick = (
        of_kind(person_surfaces(body, transforms, Look(hair=replace(Hair("short"), thickness=t))), "hair")[0]
        for t in (0.006, 0.024)
    )
    assert thick.vertices[:, 2].max() > thin.vertices[:, 2].max() + 0.01
