"""Flatten pieces of cloth with as little stretch as possible (as-rigid-as-possible parametrisation).

Ligang Liu et al., "A Local/Global Approach to Mesh Parameterization" (2008).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import factorized


def lay_flat(points: np.ndarray, faces: np.ndarray, guess: np.ndarray, rounds: int = 12) -> np.ndarray:
    """Flatten a piece, starting from a guess that also defines where it is cut open.

    Corners that share a vertex become one point if their guesses agree within 2 cm.

    Args:
        points: (V, 3) metres.
        faces: (F, 3) of this piece only.
        guess: (F, 3, 2) metres, not folded over: u right and v down as seen from outside.
        rounds: number of iterations, each of which solves for rotations and then for positions.

    Returns:
        (F, 3, 2), aligned with the guess.
    """
    corner, first = _corners(faces, guess)
    flat = guess.reshape(-1, 2)[first]
    local = _triangles(points[faces])  # (F, 3, 2)
    weights = _cotangents(local)  # (F, 3): of the edge opposite each corner
    solve = factorized(_laplacian(corner, weights, len(flat)))
    for _ in range(rounds):
        turns = _rotations(local, flat[corner], weights)
        flat = solve(_right_side(corner, local, weights, turns, len(flat)) + 1e-9 * flat)
    return _aligned(flat, guess.reshape(-1, 2)[first])[corner]


def _corners(faces: np.ndarray, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the point at each corner, (F, 3), and one corner for each point."""
    key = np.concatenate([faces.reshape(-1, 1), np.round(guess.reshape(-1, 2) / 0.02)], axis=1)
    vertex = faces.ravel()
    order = np.lexsort((guess.reshape(-1, 2)[:, 0], vertex))
    spread = np.linalg.norm(np.diff(guess.reshape(-1, 2)[order], axis=0), axis=1)
    new = np.concatenate([[True], (np.diff(vertex[order]) != 0) | (spread > 0.02)])
    number = np.empty(len(key), int)
    number[order] = np.cumsum(new) - 1
    return number.reshape(-1, 3), order[new]


def _triangles(corners: np.ndarray) -> np.ndarray:
    """(F, 3, 2): each triangle in its own plane, turned so that it is counter-clockwise with v down."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.maximum(np.linalg.norm(first, axis=1), 1e-9)
    along = (first * second).sum(axis=1) / length
    across = np.linalg.norm(np.cross(first, second), axis=1) / length
    zero = np.zeros_like(length)
    local = np.stack([np.stack([zero, zero], 1), np.stack([length, zero], 1), np.stack([along, -across], 1)], axis=1)
    return local


def _cotangents(local: np.ndarray) -> np.ndarray:
    result = np.zeros(local.shape[:2])
    for corner in range(3):
        a = local[:, (corner + 1) % 3] - local[:, corner]
        b = local[:, (corner + 2) % 3] - local[:, corner]
        area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        result[:, corner] = (a * b).sum(axis=1) / np.maximum(area, 1e-9)
    return np.clip(result, 0.02, 20.0)


def _laplacian(corner: np.ndarray, weights: np.ndarray, count: int) -> sparse.csc_matrix:
    matrix = 1e-9 * sparse.identity(count, format="csr")
    for k in range(3):
        a, b = corner[:, (k + 1) % 3], corner[:, (k + 2) % 3]
        w = weights[:, k]
        rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
        matrix = matrix + sparse.csr_matrix((np.concatenate([w, w, -w, -w]), (rows, columns)), shape=(count, count))
    return matrix.tocsc()


def _rotations(local: np.ndarray, flat: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(F, 2, 2): the rotation that best maps each triangle onto its flat image."""
    cosine, sine = np.zeros(len(local)), np.zeros(len(local))
    for k in range(3):
        a = local[:, (k + 2) % 3] - local[:, (k + 1) % 3]
        b = flat[:, (k + 2) % 3] - flat[:, (k + 1) % 3]
        cosine += weights[:, k] * (a * b).sum(axis=1)
        sine += weights[:, k] * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    size = np.maximum(np.hypot(cosine, sine), 1e-12)
    cosine, sine = cosine / size, sine / size
    return np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], axis=1)


def _right_side(corner, local, weights, turns, count):
    total = np.zeros((count, 2))
    for k in range(3):
        a, b = corner[:, (k + 1) % 3], corner[:, (k + 2) % 3]
        edge = local[:, (k + 1) % 3] - local[:, (k + 2) % 3]
        pull = weights[:, k, None] * np.einsum("fij,fj->fi", turns, edge)
        for axis in range(2):
            total[:, axis] += np.bincount(a, pull[:, axis], count) - np.bincount(b, pull[:, axis], count)
    return total


def _aligned(flat: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Rotate and move the flat points to match the guess as well as possible."""
    a, b = flat - flat.mean(axis=0), guess - guess.mean(axis=0)
    angle = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return a @ turn + guess.mean(axis=0)
