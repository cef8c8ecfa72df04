"""Tracing: hits, the sum of light, and the message if packages are missing."""

import sys

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.support.rendered.renderer import require_renderer
from tests.support.rendered.solids import sheet, sphere
from training.data.rendered.studio.rays import tracing
from training.data.rendered.studio.rays.merging import merge
from training.data.rendered.studio.scene.lights import ENVIRONMENT_SIZE


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/usr/lib/x/libLLVM-15.so", 15),
        ("/usr/lib/x/libLLVM.so.19.1", 19),
        ("/usr/lib/llvm-18/lib/libLLVM.so", 18),
        ("/usr/lib/x/libLLVM-14.so.1", 14),
        ("/usr/lib/x/libLLVMCore.a", 0),
    ],
)
def test_the_version_is_read_from_the_librarys_name(path, version):
    assert tracing._llvm_version(path) == version


def test_an_old_llvm_is_skipped_and_a_missing_one_is_reported(monkeypatch):
    found = ["/usr/lib/x/libLLVM-15.so", "/usr/lib/x/libLLVM-18.so", "/usr/lib/x/libLLVM.so.19.1"]
    monkeypatch.setattr(tracing.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(tracing.glob, "glob", lambda pattern: found)
    assert tracing.find_llvm() == found[2]
    monkeypatch.setattr(tracing.glob, "glob", lambda pattern: found[:1])
    with pytest.raises(IGRError, match="libllvm19"):
        tracing.find_llvm()


def test_missing_packages_are_reported_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "drjit", None)
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", "/somewhere/libLLVM.so")
    with pytest.raises(IGRError, match="`render` extra"):
        tracing.load_mitsuba.__wrapped__()


def _tracer(surfaces, level=1.0):
    require_renderer()
    pytest.importorskip("mitsuba_oidn", reason="rendering needs the `render` extra")
    return tracing.Tracer(merge(surfaces), np.full((*ENVIRONMENT_SIZE, 3), level, np.float32))


def test_rays_find_the_face_the_place_on_it_and_the_distance():
    scene = merge([sheet("garment", (0, 0, 1), 1.0, 1.0), sphere("skin", (5, 0, 1), 0.1)])
    tracer = _tracer([sheet("garment", (0, 0, 1), 1.0, 1.0), sphere("skin", (5, 0, 1), 0.1)])
    directions = np.array([[0.1, 1.0, 0.05], [0.0, -1.0, 0.0]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits = tracer.hits(np.array([0.0, -2.0, 1.0]), directions)
    assert hits.face[1] == -1 and np.isinf(hits.distance[1]) and not hits.bary[1].any()
    corners = scene.vertices[scene.faces[hits.face[0]]]
    weights = np.array([1 - hits.bary[0].sum(), *hits.bary[0]])
    np.testing.assert_allclose(weights @ corners, [0.2, 0.0, 1.1], atol=1e-4)
    assert hits.distance[0] == pytest.approx(2 / directions[0, 1], rel=1e-4)


def test_no_rays_give_no_hits_and_no_light():
    """A photo without edges has no subsamples; Dr.Jit would abort the process."""
    tracer, none = _tracer([sphere("skin", (5, 0, 1), 0.1)]), np.empty((0, 3))
    hits = tracer.hits(np.zeros(3), none)
    assert hits.face.shape == hits.distance.shape == (0,) and hits.bary.shape == (0, 2)
    assert tracer.light(none, none, 0, 4).shape == (0, 3)


def test_white_surfaces_under_an_even_sky_are_as_bright_as_the_sky():
    tracer = _tracer([sphere("skin", (50, 0, 1), 0.1)], level=0.7)
    normals = np.array([[0, 0, 1.0], [0, -1, 0], [0.6, 0, -0.8]])
    light = tracer.light(np.zeros((3, 3)), normals, 0, 400)
    np.testing.assert_allclose(light, 0.7, rtol=0.03)


def test_half_the_sky_behind_a_wall_gives_its_bounce_instead():
    wall = sheet("wall", (0, 0, 0), 400.0, 400.0)
    light = _tracer([wall]).light(
        np.array([[0.0, -1e-3, 0.0], [0.0, -1.0, 0.0]]), np.array([[0, -1.0, 0], [0, 1.0, 0]]), 0, 900
    )
    # away from the wall, only the sky; towards the wall, the sky's light that the wall reflects
    np.testing.assert_allclose(light[0], 1.0, rtol=0.03)
    np.testing.assert_allclose(light[1], tracing.REFLECTANCE, rtol=0.05)


def test_noise_is_removed_and_edges_of_normals_are_preserved():
    _tracer([sphere("skin", (0, 0, 1), 0.1)])
    rng = np.random.default_rng(0)
    truth = np.where(np.arange(64)[None, :, None] < 32, 0.3, 0.8) * np.ones((64, 64, 3))
    normals = np.where(np.arange(64)[None, :, None] < 32, (1.0, 0, 0), (0, -1.0, 0)) * np.ones((64, 64, 1))
    noisy = (truth * rng.uniform(0.6, 1.4, (64, 64, 1))).astype(np.float32)
    cleaned = tracing.denoise(noisy, normals.astype(np.float32))
    assert np.abs(cleaned - truth).mean() < 0.25 * np.abs(noisy - truth).mean()
    assert np.abs(cleaned[:, 33] - 0.8).mean() < 0.12 and np.abs(cleaned[:, 30] - 0.3).mean() < 0.12


def test_images_are_denoised_by_one_thread_of_the_cpu():
    oidn = pytest.importorskip("mitsuba_oidn", reason="rendering needs the `render` extra")
    light = np.full((8, 8, 3), 0.5, np.float32)
    tracing.denoise(light, np.tile(np.float32([0, -1, 0]), (8, 8, 1)))
    device = tracing._denoising_device()
    assert device.type == oidn.DeviceType.CPU and device.num_threads == 1
