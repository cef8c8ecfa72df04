"""Two stages compared with one: a dressed view is close to a path-traced image of the painted scene."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.rendered.renderer import require_renderer
from tests.support.rendered.solids import sheet, sphere
from training.data.rendered.base.normals import vertex_normals
from training.data.rendered.base.panels import Panel
from training.data.rendered.base.surfaces import Surface
from training.data.rendered.base.views import SUBSAMPLES, View
from training.data.rendered.studio.scene.cameras import Camera
from training.data.synthetic.art.textures import Pattern, solid

require_renderer()
pytest.importorskip("mitsuba_oidn", reason="rendering needs the extra `render`")

from training.data.rendered.dressing.cloth.fabrics import Fabric  # noqa: E402
from training.data.rendered.dressing.dresses import draw_dress  # noqa: E402
from training.data.rendered.dressing.image.atlas import Texture, cloth_texture  # noqa: E402
from training.data.rendered.dressing.image.composing import compose  # noqa: E402
from training.data.rendered.dressing.materials import Cloth, Dress  # noqa: E402
from training.data.rendered.dressing.pixels.colours import to_srgb  # noqa: E402
from training.data.rendered.garments.lots import draw_cut  # noqa: E402
from training.data.rendered.garments.tailoring import tailor  # noqa: E402
from training.data.rendered.garments.wearing import wear  # noqa: E402
from training.data.rendered.people.body import TEMPLATE_SHAPES, make_body  # noqa: E402
from training.data.rendered.people.poses import named_pose  # noqa: E402
from training.data.rendered.studio.rays.rendering import photograph  # noqa: E402
from training.data.rendered.studio.rays.tracing import load_mitsuba  # noqa: E402
from training.data.rendered.studio.scene.sets import product_set  # noqa: E402

TOLERANCE = 5.0
"""Tolerance in grey levels (0..255), for colours that bleed from cloth to cloth, which light on white surfaces does not
include, for the weave, which the path tracer's bitmap lacks, and for noise."""
CAMERA = Camera((0.0, -3.2, 1.0), (0.0, 0.0, 1.0), 26.0, (96, 128))
RADIUS = 0.38
PANELS = (
    Panel("front", "garment", "body", (0.0, 0.0, 2 * np.pi * RADIUS, np.pi * RADIUS)),
    Panel("back", "other_1", "body", (-0.6, -0.7, 0.6, 0.7)),
)


def dress() -> Dress:
    """A checked garment, worn with a striped one."""
    drawn = draw_dress(np.random.default_rng(0), PANELS, {})
    checks = Pattern("checks", ((206, 60, 52), (236, 226, 204), (40, 60, 120)), 0.2, 0.5, 4)
    stripes = Pattern("stripes_v", ((60, 110, 150), (230, 220, 120), (40, 40, 40)), 0.3, 0.5, 6)
    return replace(drawn, garment=_cloth(drawn.garment, checks), other_1=_cloth(drawn.other_1, stripes))


def _cloth(cloth: Cloth, pattern: Pattern) -> Cloth:
    return replace(cloth, fabric=Fabric("plain", pattern, 0.0, 0.02), prints=())


def rendered(surfaces: list[Surface], textures: list[Texture], camera: Camera = CAMERA) -> np.ndarray:
    """Linear light (h, w, 3) of painted surfaces, by mitsuba's own path integrator."""
    mi = load_mitsuba()
    environment = mi.Bitmap(np.ascontiguousarray(product_set().environment, np.float32))
    upright = mi.ScalarTransform4f().rotate([1, 0, 0], 90)
    width, height = camera.size
    film = {"type": "hdrfilm", "width": width, "height": height, "rfilter": {"type": "box"}, "pixel_format": "rgb"}
    look = mi.ScalarTransform4f().look_at(camera.position, camera.target, [0, 0, 1])
    sensor = {"type": "perspective", "fov": camera.fov, "fov_axis": "y", "to_world": look, "film": film}
    scene = {
        "type": "scene",
        "light": {"type": "envmap", "bitmap": environment, "to_world": upright},
        "sensor": sensor,
        "integrator": {"type": "path", "max_depth": 5},
    }
    for number, (surface, texture) in enumerate(zip(surfaces, textures, strict=True)):
        scene[f"cloth_{number}"] = _painted(surface, texture)
    return np.array(mi.render(mi.load_dict(scene), spp=256, seed=1))


def _painted(surface: Surface, texture: Texture):
    """A mesh of mitsuba with the finest level of a texture as its bitmap."""
    mi = load_mitsuba()
    first, height, width = texture.levels[0]
    pixels = np.ascontiguousarray(texture.texels[first : first + height * width].reshape(height, width, 3))
    bitmap = {"type": "bitmap", "bitmap": mi.Bitmap(pixels), "raw": True}
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict({"type": "twosided", "inner": {"type": "diffuse", "reflectance": bitmap}})
    corners = surface.faces.ravel()  # Each face has its own corners, because cloth is cut open along seams.
    shape = mi.Mesh(
        surface.kind, len(corners), len(surface.faces), has_vertex_normals=True, has_vertex_texcoords=True,
        props=properties,
    )  # fmt: skip
    assert surface.uv is not None
    places = (surface.uv.reshape(-1, 2) - (texture.left, texture.top)) * texture.scale / (width, height)
    parameters = mi.traverse(shape)
    parameters["vertex_positions"] = surface.vertices[corners].astype(np.float32).ravel()
    parameters["vertex_normals"] = vertex_normals(surface.vertices, surface.faces)[corners].astype(np.float32).ravel()
    parameters["vertex_texcoords"] = places.astype(np.float32).ravel()
    parameters["faces"] = np.arange(len(corners), dtype=np.uint32)
    parameters.update()
    return shape


def test_a_dressed_view_matches_a_path_traced_image_of_the_painted_scene():
    surfaces = [sphere("garment", (0, -0.1, 1), RADIUS, rings=60), sheet("other_1", (0, 0.4, 1), 1.1, 1.3, panel=1)]
    view = photograph(surfaces, None, CAMERA, 0, samples=32).view
    view = replace(view, gloss=np.zeros_like(view.gloss))
    clothes = dress()
    composed = compose(view, PANELS, clothes)
    textures = [
        cloth_texture(panel, getattr(clothes, panel.kind), panel.box, view.pixels_per_metre) for panel in PANELS
    ]
    direct = rendered(surfaces, textures)
    width, height = CAMERA.size
    seen = (view.labels != 255).reshape(height, SUBSAMPLES, width, SUBSAMPLES).all((1, 3))
    assert seen.mean() > 0.3
    assert _apart(composed[seen], direct[seen]) < TOLERANCE
    # uniform light is not accurate enough
    flat = compose(replace(view, light=np.full_like(view.light, view.light.mean())), PANELS, clothes)
    assert _apart(flat[seen], direct[seen]) > 2 * TOLERANCE


def test_a_garment_that_was_tailored_and_is_worn_looks_as_if_it_were_rendered_with_its_textures():
    cut = draw_cut(np.random.default_rng(0), "tee", sex="female")
    garment = tailor(replace(cut, neckline="round", sleeve="short", sleeve_length=0.35, fit="regular", ease=0.013))
    body = make_body(TEMPLATE_SHAPES["female"])
    pose = body.transforms(named_pose("hand_on_hip", body).rotations)
    (surface,) = wear([garment], body, pose, np.random.default_rng(0))[0]
    middle = (surface.vertices.min(axis=0) + surface.vertices.max(axis=0)) / 2
    camera = Camera((0.5, -3.2, float(middle[2])), (0.0, 0.0, float(middle[2])), 14.0, (96, 128))
    view = photograph([surface], None, camera, 0, samples=32).view
    view = replace(view, gloss=np.zeros_like(view.gloss))
    clothes = dress()
    clothes = replace(clothes, garment=_all_of_one(clothes.garment))
    composed = compose(view, garment.panels, clothes)
    numbers = [number for number in np.unique(surface.panel)]
    parts = [_panel_of(surface, number) for number in numbers]
    textures = [
        cloth_texture(panel, clothes.garment, panel.box, view.pixels_per_metre)
        for panel in (garment.panels[number] for number in numbers)
    ]
    direct = rendered(parts, textures, camera)
    seen = _whole(view)
    assert seen.mean() > 0.25
    assert _apart(composed[seen], direct[seen]) < TOLERANCE
    plain = replace(clothes, garment=_all_of_one(_cloth(clothes.garment, solid((206, 60, 52)))))
    assert _apart(compose(view, garment.panels, plain)[seen], direct[seen]) > 3 * TOLERANCE


def _all_of_one(cloth: Cloth) -> Cloth:
    """The cloth with sleeves, trims and ribs in the body's fabric, without stitches."""
    return replace(cloth, sleeve=cloth.fabric, trim=cloth.fabric, rib=cloth.fabric, stitching=0.0)


def _panel_of(surface: Surface, number: int) -> Surface:
    """The part of a surface that belongs to one panel."""
    assert surface.uv is not None and surface.panel is not None
    chosen = surface.panel == number
    return replace(surface, faces=surface.faces[chosen], uv=surface.uv[chosen], panel=surface.panel[chosen])


def _whole(view: View) -> np.ndarray:
    """(h, w) bool: pixels that show one panel's outside and nothing else."""
    height, width = view.light.shape[:2]
    blocks = view.labels.reshape(height, SUBSAMPLES, width, SUBSAMPLES)
    outside = [number for number, label in enumerate(view.table) if not label.inside]
    return (blocks.min((1, 3)) == blocks.max((1, 3))) & np.isin(view.centres, outside)


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """Mean difference in grey levels of two images (N, 3) in linear light, with the second exposed like the first."""
    exposure = (first * second).sum() / (second**2).sum()
    return float(np.abs(to_srgb(first) - to_srgb(second * exposure)).mean())
