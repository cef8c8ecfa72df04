"""Fingerprints of the code that renders and dresses, and versions of the packages it uses."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from igr_core.segmentation import labels

from ...contract import keypoints
from ...files.code_hash import hash_of
from ...synthetic import defects
from ...synthetic.art import arrays, curves, lettering, motifs, palette, textures
from ...synthetic.photo import masks

PACKAGE = Path(__file__).parents[1]
"""Folder of the generator's code and data."""
NOT_RENDERING = (
    "agreement.py", "base/timing.py", "bench.py", "dressing", "generating", "held_out.py", "pairs.py",
    "people/export_body.py", "records/shards.py", "records/spool.py", "sheet.py", "source.py",
)  # fmt: skip
"""Files and folders of the package that do not affect rendering; they only run it, or dress or display its results."""
RENDERING_BESIDE = (defects, keypoints, labels, masks)
"""Modules outside the package that affect rendering."""
DRESSING = ("base/panels.py", "base/streams.py", "base/surfaces.py", "base/views.py", "dressing", "pairs.py")
"""Files and folders of the package that affect dressing."""
DRESSING_BESIDE = (arrays, curves, lettering, motifs, palette, textures)
"""Modules outside the package that affect dressing."""
RENDERERS = ("drjit", "mitsuba", "mitsuba-oidn", "numba", "numpy")
"""Packages whose versions may affect rendering."""


@functools.cache
def render_fingerprint() -> str:
    """Short hash of the code and data that records are rendered with."""
    return _fingerprint(rendering_files(), RENDERING_BESIDE)


@functools.cache
def dress_fingerprint() -> str:
    """Short hash of the code that records are dressed with."""
    wanted = [PACKAGE / name for name in DRESSING]
    return _fingerprint([path for path in _code() if _within(path, wanted)], DRESSING_BESIDE)


def rendering_files() -> list[Path]:
    """Files of the package that affect rendering."""
    other = [PACKAGE / name for name in NOT_RENDERING]
    return [path for path in _code() if not _within(path, other)]


@functools.cache
def renderer_versions() -> str:
    """Versions of RENDERERS, `drjit 1.3.1, mitsuba 3.8.0, ...`; packages that are not installed are skipped."""
    found = []
    for name in RENDERERS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _fingerprint(files: list[Path], beside: tuple[ModuleType, ...]) -> str:
    hashes = [hash_of(PACKAGE, files)]
    for module in beside:
        assert module.__file__ is not None
        path = Path(module.__file__)
        hashes.append(hash_of(path.parent, [path]))
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:16]


def _code() -> list[Path]:
    kinds = (".py", ".npz", ".safetensors")
    return [path for path in PACKAGE.rglob("*") if path.suffix in kinds and path.name != "__init__.py"]


def _within(path: Path, places: list[Path]) -> bool:
    return any(path.is_relative_to(place) for place in places)
