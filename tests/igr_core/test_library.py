"""The contents of `import igr_core`, and its cost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import igr_core

ROOT = Path(__file__).parents[2]


def test_importing_the_library_loads_no_heavy_library() -> None:
    script = (
        "import sys, igr_core; print(sorted({'PIL', 'diffusers', 'numpy', 'torch', 'transformers'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", igr_core.__all__)
def test_every_exported_name_exists(name: str) -> None:
    found = getattr(igr_core, name)
    if name == "PRESETS":  # not a class or a function
        assert found["paper"] == igr_core.Sampling()
        return
    assert found.__name__ == name and found.__module__.startswith("igr_core.")
    assert name in dir(igr_core)


def test_other_names_are_missing() -> None:
    name = "restore_everything"
    with pytest.raises(AttributeError, match=f"'igr_core' has no attribute '{name}'"):
        getattr(igr_core, name)


def test_the_example_of_the_readme_runs(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 255, (90, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.jpg")
    mask = np.zeros((90, 60), np.uint8)
    mask[20:70, 15:45] = 255
    Image.fromarray(mask).save("mask.png")
    shutil.copy(bundle, "model.safetensors")
    exec(code, {})  # noqa: S102
    with Image.open("dress.png") as garment:
        assert garment.mode == "RGB" and np.asarray(garment).std() > 0
