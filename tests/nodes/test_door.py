"""The pack's root, as ComfyUI's loader reads it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from tests.support.nodes.node_schemas import ROOT
from tests.support.nodes.pack import NAME, part


def test_the_root_loads_without_comfyui_and_offers_one_entry() -> None:
    script = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("pack", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert not hasattr(module, "NODE_CLASS_MAPPINGS")  # it would win over the entry
assert callable(module.comfy_entrypoint)
assert {{"comfy_api", "folder_paths", "torch"}}.isdisjoint(sys.modules)
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_web_folder_is_there() -> None:
    part("nodes.images")
    assert (ROOT / sys.modules[NAME].WEB_DIRECTORY / "js" / "entry.js").is_file()
    assert (ROOT / sys.modules[NAME].WEB_DIRECTORY / "docs").is_dir()


def test_without_comfyui_the_entry_says_what_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    part("nodes.images")
    with caplog.at_level(logging.ERROR), pytest.raises(ModuleNotFoundError, match="comfy_api"):
        asyncio.run(sys.modules[NAME].comfy_entrypoint())
