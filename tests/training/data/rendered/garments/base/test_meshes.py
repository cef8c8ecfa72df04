"""Mesh operations keep surfaces intact, and new vertices are linear combinations of the old ones."""

import numpy as np
import pytest

from training.data.rendered.base.normals import vertex_normals
from training.data.rendered.garments.base.meshes import (
    boundary_edges,
    boundary_loops,
    edges_of,
    largest_part,
    opposites_of,
    smoothing,
    split,
    strip_faces,
    subdivide_quads,
    triangles_of,
    upsample,
    upsample_corners,
)


@pytest.fixture
def sheet() -> tuple[np.ndarray, np.ndarray]:
    """A flat square of 12 x 12 quads in the plane y = 0, seen from -y."""
    x, z = np.meshgrid(np.linspace(0, 1, 13), np.linspace(0, 1, 13))
    points = np.stack([x.ravel(), np.zeros(169), z.ravel()], axis=1)
    corner = (np.arange(12)[:, None] * 13 + np.arange(12)).ravel()
    return points, triangles_of(np.stack([corner, corner + 1, corner + 14, corner + 13], axis=1))


def area(points: np.ndarray, faces: np.ndarray) -> float:
    corners = points[faces]
    return float(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    )


def cut(sheet, field, marks=None, bit=0):
    points, faces = sheet
    return split(faces, field, np.zeros(len(points), np.int64) if marks is None else marks, bit)


def test_a_split_keeps_the_area_and_separates_the_sides(sheet):
    field = sheet[0][:, 0] + 0.37 * sheet[0][:, 2] - 0.61
    result = cut(sheet, field)
    points = result.combine @ sheet[0]
    assert area(points, result.faces) == pytest.approx(1.0)
    value = points[:, 0] + 0.37 * points[:, 2] - 0.61
    assert value[result.faces[result.positive]].min() > -1e-9
    assert value[result.faces[~result.positive]].max() < 1e-9


def test_new_vertices_lie_on_the_isoline_and_carry_its_mark(sheet):
    result = cut(sheet, sheet[0][:, 2] - 0.43, bit=3)
    points = result.combine @ sheet[0]
    on_line = (result.marks & 8) > 0
    assert on_line.any()
    np.testing.assert_allclose(points[on_line, 2], 0.43, atol=1e-12)


def test_a_second_split_does_not_move_vertices_off_the_first(sheet):
    first = cut(sheet, sheet[0][:, 2] - 0.43, bit=0)
    points = first.combine @ sheet[0]
    second = split(first.faces, points[:, 0] - 0.512 + 0.2 * points[:, 2], first.marks, 1)
    moved = second.combine @ points
    np.testing.assert_allclose(moved[(second.marks & 1) > 0, 2], 0.43, atol=1e-12)


def test_no_slivers_remain_after_snapping(sheet):
    result = cut(sheet, sheet[0][:, 0] - 0.5 - 1e-4)
    corners = (result.combine @ sheet[0])[result.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert areas.min() > 0.2 * np.median(areas)


def test_a_sheet_has_one_boundary_in_the_direction_of_its_faces(sheet):
    points, faces = sheet
    loops = boundary_loops(faces)
    assert [len(loop) for loop in loops] == [48]
    directed = {tuple(edge) for edge in boundary_edges(faces).tolist()}
    assert all((a, b) in directed for a, b in zip(loops[0], np.roll(loops[0], -1), strict=True))


def test_a_strip_continues_the_mesh_with_the_same_orientation(sheet):
    points, faces = sheet
    loop = boundary_loops(faces)[0]
    ring = len(points) + np.arange(len(loop))
    wider = (points[loop] - [0.5, 0, 0.5]) * 1.1 + [0.5, 0, 0.5]
    whole = np.concatenate([faces, strip_faces(loop, ring)])
    normals = vertex_normals(np.concatenate([points, wider]), whole)
    assert (normals[:, 1] < -0.99).all()


def test_upsampling_puts_each_child_inside_its_parent(sheet):
    points, faces = sheet
    fine, refine = upsample(faces, len(points))
    corners = (refine @ points)[fine]
    np.testing.assert_allclose(corners, upsample_corners(points[faces]))
    assert area(refine @ points, fine) == pytest.approx(1.0)


def test_subdividing_quads_shares_vertices(sheet):
    quads = np.array([[0, 1, 2, 3], [1, 4, 5, 2]])
    fine, combine = subdivide_quads(quads, 6)
    assert len(fine) == 8
    assert combine.shape == (6 + 7 + 2, 6)
    np.testing.assert_allclose(np.asarray(combine.sum(axis=1)).ravel(), 1)


def test_smoothing_leaves_straight_hems_in_place(sheet):
    points, faces = sheet
    bumpy = points + np.random.default_rng(0).normal(size=points.shape) * [0, 0.01, 0]
    even = smoothing(faces, len(points), 0.5, 5) @ bumpy
    rim = np.unique(boundary_edges(faces))
    assert np.abs(even[:, 1]).mean() < 0.5 * np.abs(bumpy[:, 1]).mean()
    inner = rim[(points[rim, 2] == 0) & (points[rim, 0] > 0.45) & (points[rim, 0] < 0.55)]
    np.testing.assert_allclose(even[inner, 2], 0, atol=1e-9)


def test_opposites_face_each_other_across_inner_edges(sheet):
    _, faces = sheet
    assert len(opposites_of(faces)) == len(edges_of(faces)) - len(boundary_edges(faces))


def test_the_largest_part_is_found(sheet):
    _, faces = sheet
    both = np.concatenate([faces, np.array([[200, 201, 202]])])
    chosen = largest_part(both, 203)
    assert chosen[:-1].all() and not chosen[-1]
