"""Fingerprints change if the pairs would change, and not otherwise."""

from pathlib import Path

import pytest

from training.data.rendered.generating import fingerprints
from training.data.rendered.generating.fingerprints import (
    DRESSING,
    NOT_RENDERING,
    PACKAGE,
    dress_fingerprint,
    render_fingerprint,
    rendering_files,
)
from training.data.synthetic import defects
from training.data.synthetic.art import textures
from training.data.synthetic.photo import masks


def test_rendering_files_exclude_code_that_only_runs_or_dresses() -> None:
    assert all((PACKAGE / name).exists() for name in (*NOT_RENDERING, *DRESSING))
    files = {path.relative_to(PACKAGE).as_posix() for path in rendering_files()}
    assert {
        "capture/making.py",
        "people/body.py",
        "garments/lots.py",
        "studio/rays/tracing.py",
        "records/record.py",
    } <= files
    assert "people/assets/body.safetensors" in files
    assert not any(name.startswith(("dressing/", "generating/")) or name == "pairs.py" for name in files)


@pytest.mark.parametrize(
    ("module", "changed"),
    [(defects, "render"), (masks, "render"), (textures, "dress")],
    ids=["defects", "masks", "art"],
)
def test_code_beside_the_package_counts_where_it_is_used(
    module: object, changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {"render": render_fingerprint(), "dress": dress_fingerprint()}
    assert all(len(one) == 16 for one in before.values())
    edited = tmp_path / Path(module.__file__).name
    edited.write_text(Path(module.__file__).read_text() + "\nEDITED = 1\n")
    monkeypatch.setattr(module, "__file__", str(edited))
    after = {"render": render_fingerprint.__wrapped__(), "dress": dress_fingerprint.__wrapped__()}
    assert {name for name in before if after[name] != before[name]} == {changed}


def test_versions_are_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "RENDERERS", ("numpy", "no-such-package"))
    found = fingerprints.renderer_versions.__wrapped__()
    assert found.startswith("numpy ") and "," not in found
