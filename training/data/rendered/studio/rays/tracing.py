"""Ray tracing of a merged mesh: first hits and their light. Needs the `render` extra."""

from __future__ import annotations

import ctypes.util
import functools
import glob
import os
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from igr_core.errors import IGRError

from .merging import Merged

REFLECTANCE = 0.5
"""Reflectance of every surface while light is traced."""
OFFSET = 2e-4
"""Offset of rays above the surface that they leave, metres."""
BORDER = 16
"""Padding in pixels on each side of images during denoising."""
LEAST_LLVM = 16
"""Minimum major version of LLVM; Dr.Jit aborts the process with LLVM 15."""


@dataclass(frozen=True)
class Hits:
    """First hits of N rays."""

    face: np.ndarray
    """(N,) int32: face number in the merged mesh; -1 where a ray hits nothing."""
    bary: np.ndarray
    """(N, 2) float32: weights of the face's second and third corner; 0 where a ray hits nothing."""
    distance: np.ndarray
    """(N,) float32: metres along the ray; inf where it hits nothing."""


class Tracer:
    """A merged mesh lit by an environment; its structure is always the same, so that kernels are compiled once."""

    def __init__(self, mesh: Merged, environment: np.ndarray) -> None:
        """`environment` (h, w, 3) float32 as in sets.Set, of the same size in every scene of a process."""
        self._mi = load_mitsuba()
        self._scene = _scene(self._mi, mesh, environment)

    def hits(self, origin: np.ndarray, directions: np.ndarray) -> Hits:
        """Trace rays from `origin` (3,) along unit `directions` (N, 3) to their first hits."""
        import drjit as dr

        if len(directions) == 0:  # Dr.Jit aborts the process if a kernel receives no input
            return Hits(np.empty(0, np.int32), np.empty((0, 2), np.float32), np.empty(0, np.float32))
        mi = self._mi
        start = mi.Point3f(*(dr.opaque(mi.Float, float(value)) for value in origin))
        ray = mi.Ray3f(start, mi.Vector3f(*_columns(mi, directions)))
        found = self._scene.ray_intersect_preliminary(ray, coherent=True)
        valid = found.is_valid()
        dr.eval(valid, found.t, found.prim_index, found.prim_uv)
        hit = np.array(valid)
        distance = np.where(hit, np.array(found.t), np.inf).astype(np.float32)
        face = np.where(hit, np.array(found.prim_index).astype(np.int64), -1).astype(np.int32)
        # the values of rays without a hit are arbitrary
        bary = np.where(hit, np.array(found.prim_uv), 0).T.astype(np.float32)
        return Hits(face, bary, distance)

    def light(self, points: np.ndarray, normals: np.ndarray, seed: int, samples: int) -> np.ndarray:
        """Light (N, 3) float32 that a white matt surface at `points` (N, 3) with unit `normals` (N, 3) reflects.

        The light comes from the environment, directly or after one bounce off the mesh. The result depends on the seed,
        not on the number of threads.
        """
        import drjit as dr

        if len(points) == 0:
            return np.empty((0, 3), np.float32)
        mi = self._mi
        sampler = mi.load_dict({"type": "multijitter", "sample_count": samples})
        # not every number of samples allows a stratified grid
        samples = int(sampler.sample_count())
        count = len(points) * samples
        sampler.set_samples_per_wavefront(samples)
        sampler.seed(dr.opaque(mi.UInt32, seed & 0xFFFFFFFF), count)
        index = dr.arange(mi.UInt32, count)
        owner = index // dr.opaque(mi.UInt32, samples)
        point = mi.Point3f(*(dr.gather(mi.Float, column, owner) for column in _columns(mi, points)))
        normal = mi.Vector3f(*(dr.gather(mi.Float, column, owner) for column in _columns(mi, normals)))
        direction, weight = self._draw_direction(point, normal, index & 1, sampler)
        ray = mi.Ray3f(point, direction)
        found = self._scene.ray_intersect(ray)
        # the two choices must be independent, because a single shared one would bias the result
        bounced = self._bounce(found, direction, (index >> 1) & 1, sampler)
        light = weight * dr.select(found.is_valid(), bounced, self._sky(direction))
        dr.eval(light)
        planes = [np.array(channel).reshape(len(points), samples).mean(axis=1) for channel in light]
        return np.stack(planes, axis=-1)

    def _bounce(self, found: Any, direction: Any, choice: Any, sampler: Any) -> Any:
        """Radiance arriving along `direction` from the points hit: the environment's light, reflected once."""
        import drjit as dr

        mi = self._mi
        normal = dr.select(dr.dot(found.n, direction) > 0, -found.n, found.n)
        point = found.p + normal * OFFSET
        onward, weight = self._draw_direction(point, normal, choice, sampler)
        hidden = self._scene.ray_test(mi.Ray3f(point, onward), active=found.is_valid() & (weight > 0))
        return dr.select(hidden, mi.Color3f(0), REFLECTANCE * weight * self._sky(onward))

    def _draw_direction(self, point: Any, normal: Any, choice: Any, sampler: Any) -> tuple[Any, Any]:
        """Draw a direction and its weight, so that weight times radiance averages to the light on a white matt surface.

        Half of the samples follow the environment's brightness, and half follow the cosine; the weight uses the density
        of both combined.
        """
        import drjit as dr

        mi = self._mi
        place = dr.zeros(mi.Interaction3f)
        place.p = point
        random = sampler.next_2d()
        bright, _ = self._scene.environment().sample_direction(place, random)
        even = mi.Frame3f(normal).to_world(mi.warp.square_to_cosine_hemisphere(random))
        direction = dr.select(choice == 0, bright.d, even)
        cosine = dr.maximum(dr.dot(normal, direction), 0) / dr.pi
        bright.d = direction
        density = 0.5 * (cosine + self._scene.environment().pdf_direction(place, bright))
        return direction, dr.select(density > 0, cosine / density, 0)

    def _sky(self, direction: Any) -> Any:
        import drjit as dr

        place = dr.zeros(self._mi.SurfaceInteraction3f)
        place.wi = -direction
        return self._scene.environment().eval(place)


def denoise(light: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """`light` (h, w, 3) with its Monte Carlo noise removed, guided by `normals` (h, w, 3)."""
    load_mitsuba()
    import mitsuba_oidn

    # the filter leaves noise along the borders, so the image is padded
    around = ((BORDER, BORDER), (BORDER, BORDER), (0, 0))
    padded = np.pad(light, around, mode="reflect")
    cleaned = mitsuba_oidn.denoise(
        padded,
        albedo=np.full_like(padded, REFLECTANCE),
        normal=np.pad(normals.astype(np.float32), around, mode="reflect"),
        hdr=True,
        clean_aux=True,
        # fixed, because by default the scale is computed from the image, and so depends on the noise
        input_scale=1.0,
        quality=mitsuba_oidn.Quality.Fast,
        device=_denoising_device(),
    )
    return np.array(cleaned, np.float32)[BORDER:-BORDER, BORDER:-BORDER]


@functools.cache
def _denoising_device() -> Any:
    """A device with one CPU thread, so that results do not depend on an accelerator, and workers do not use each
    other's cores."""
    import mitsuba_oidn

    device = mitsuba_oidn.Device(mitsuba_oidn.DeviceType.CPU)
    device.num_threads = 1
    device.commit()
    return device


def _scene(mi: ModuleType, mesh: Merged, environment: np.ndarray) -> Any:
    properties = mi.Properties()
    matt = {"type": "diffuse", "reflectance": {"type": "rgb", "value": REFLECTANCE}}
    properties["bsdf"] = mi.load_dict({"type": "twosided", "inner": matt})
    shape = mi.Mesh("all", len(mesh.vertices), len(mesh.faces), has_vertex_normals=True, props=properties)
    parameters = mi.traverse(shape)
    parameters["vertex_positions"] = mesh.vertices.ravel()
    parameters["vertex_normals"] = mesh.normals.ravel()
    parameters["faces"] = mesh.faces.astype(np.uint32).ravel()
    parameters.update()
    # the environment's own axes have y up; the world has z up
    upright = mi.ScalarTransform4f().rotate([1, 0, 0], 90)
    light = {"type": "envmap", "bitmap": mi.Bitmap(np.ascontiguousarray(environment, np.float32)), "to_world": upright}
    return mi.load_dict({"type": "scene", "all": shape, "light": light})


def _columns(mi: ModuleType, vectors: np.ndarray) -> list[Any]:
    """The three columns of `vectors` (N, 3) as separate arrays, so that compiled kernels do not depend on N."""
    return [mi.Float(np.ascontiguousarray(vectors[:, axis], np.float32)) for axis in range(3)]


@functools.cache
def load_mitsuba() -> ModuleType:
    """Mitsuba with its variant set and a single thread; raises IGRError if a package or LLVM is not installed."""
    if not os.environ.get("DRJIT_LIBLLVM_PATH"):
        os.environ["DRJIT_LIBLLVM_PATH"] = find_llvm()
    try:
        import drjit
        import mitsuba
        import mitsuba_oidn  # noqa: F401  (missing packages are reported here, not after the first image)
    except ImportError as error:
        raise IGRError(
            f"Rendering needs {error.name}: install the `render` extra (pip install '.[render]')."
        ) from error
    mitsuba.set_variant("llvm_ad_rgb")
    mitsuba.set_log_level(mitsuba.LogLevel.Error)
    drjit.set_thread_count(1)
    return mitsuba


def find_llvm() -> str:
    """Path of the newest LLVM library that Dr.Jit supports; raises IGRError if none is found."""
    folders = ("/usr/lib/*-linux-gnu", "/usr/lib/llvm-*/lib", "/usr/lib64", "/usr/lib", "/usr/local/lib")
    if "HOMEBREW_PREFIX" in os.environ:
        folders += (os.path.join(os.environ["HOMEBREW_PREFIX"], "opt", "llvm", "lib"),)
    found = [path for folder in folders for path in sorted(glob.glob(f"{folder}/libLLVM*"))]
    usable = [path for path in found if _llvm_version(path) >= LEAST_LLVM]
    if usable:
        return max(usable, key=_llvm_version)
    named = ctypes.util.find_library("LLVM")
    if named is not None and _llvm_version(named) >= LEAST_LLVM:
        return named
    raise IGRError(
        f"Rendering needs the LLVM library, version {LEAST_LLVM} or newer: install libllvm19 (apt), llvm-libs (dnf) or"
        " llvm (brew), or set DRJIT_LIBLLVM_PATH to the library."
    )


def _llvm_version(path: str) -> int:
    """Major version in a library's name (libLLVM-19.so, libLLVM.so.19.1, llvm-19/lib/libLLVM.so); 0 for none."""
    name = os.path.basename(path)
    if not re.search(r"\.(so|dylib)", name):
        return 0
    versions = re.findall(r"(?:libLLVM-|\.so\.)(\d+)", name) or re.findall(r"llvm-(\d+)", os.path.realpath(path))
    return int(versions[0]) if versions else 0
