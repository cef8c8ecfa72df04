"""Load the pack by its path under a separate name, as ComfyUI does, for modules of nodes/ that do not need ComfyUI."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from tests.support.nodes.node_schemas import ROOT

NAME = "igr_pack_without_host"


def part(name: str) -> Any:
    """A module of the pack by its dotted name, such as `nodes.images`."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[NAME])
    return importlib.import_module(f"{NAME}.{name}")
