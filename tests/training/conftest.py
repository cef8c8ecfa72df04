"""Small data sets in the published layouts, drawn once for all tests that read them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.fixtures import write_fixture

SIZE = (96, 128)
COUNTS = {"viton_hd": 6, "dresscode": 2, "streettryon": 4, "folder": 6, "tars": 6}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a layout's fixture, not to be changed."""
    base = tmp_path_factory.mktemp("trees")

    def at(layout: str) -> Path:
        if not (base / layout).exists():
            write_fixture(layout, base / layout, COUNTS[layout], 0, SIZE)
        return base / layout

    return at


@pytest.fixture
def copy(tree: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a layout's fixture, to be damaged."""

    def of(layout: str) -> Path:
        return Path(shutil.copytree(tree(layout), tmp_path / layout))

    return of
