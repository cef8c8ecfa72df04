"""The architecture page names every folder of the packages, and its figure shows existing nodes and files."""

from __future__ import annotations

import re

from tests.support.nodes.node_schemas import our_words
from tests.support.pages import ROOT, links

PAGE = ROOT / "docs" / "architecture.md"
FIGURE = ROOT / "docs" / "architecture.svg"
HOSTS_OWN = {"VAE Decode"}


def named() -> set[str]:
    """Files and folders that the page links to, from the root."""
    targets = (target.partition("#")[0] for target in links(PAGE))
    found = ((PAGE.parent / target).resolve() for target in targets if target)
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_every_folder_of_the_packages_has_a_line() -> None:
    packages = {
        path.parent for room in ("igr_core", "nodes", "training") for path in (ROOT / room).rglob("__init__.py")
    }
    tests = {path for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    others = {ROOT / "web" / "js", ROOT / "web" / "docs", ROOT / "workflows", ROOT / "subgraphs"}
    missing = {path.relative_to(ROOT).as_posix() for path in packages | tests | others} - named()
    assert not missing, f"docs/architecture.md: add a line for {sorted(missing)}."


def test_every_file_of_the_model_and_the_host_has_a_line() -> None:
    rooms = ("igr_core", "nodes/host", "web/js")
    files = {path for room in rooms for kind in ("*.py", "*.js") for path in (ROOT / room).rglob(kind)}
    wanted = {path.relative_to(ROOT).as_posix() for path in files if not path.name.startswith("__")}
    missing = wanted - named()
    assert not missing, f"docs/architecture.md: add a line for {sorted(missing)}."


def test_the_figure_shows_nodes_and_files_that_exist() -> None:
    figure = FIGURE.read_text(encoding="utf-8")
    files = re.findall(r"[\w/]+\.py", figure)
    assert files and not [file for file in files if not (ROOT / file).is_file()]
    titles = set(re.findall(r'class="name"[^>]*>([^<]+)<', figure)) - HOSTS_OWN
    nodes = {title for title in titles if re.search("Load|Mask/Crop|Encode|Apply|Sample|Finish", title)}
    assert len(nodes) == 6 and nodes <= {words.display_name for words in our_words().values()}


def test_the_figure_is_readable_on_light_and_dark_pages() -> None:
    figure = FIGURE.read_text(encoding="utf-8")
    light, dark = figure.split("@media (prefers-color-scheme: dark)")
    for name in ("ground", "box", "model", "end", "name", "file", "label", "arrow", "head"):
        assert f".{name} " in light and re.search(rf"\.{name}\b", dark.split("</style>")[0])
