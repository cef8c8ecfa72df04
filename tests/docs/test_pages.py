"""Links, paths and lengths of the documentation pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pages import PAGES, ROOT, anchors, label, links, make_targets, paths

README = ROOT / "README.md"
SCREENS = 150
"""Maximum number of lines of a README, which only introduces the pages of docs/."""


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=label)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{label(page)} links to {target}, which does not exist."
        assert ROOT in (place, *place.parents), f"{label(page)} links to {target}, which is outside the repository."
        if anchor:
            assert anchor in anchors(place), f"{label(page)} links to {target}, and no heading there has this anchor."


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_every_path_named_exists(page: Path) -> None:
    missing = {path for path in paths(page) if not (ROOT / path).exists()}
    assert not missing, f"{label(page)} names {sorted(missing)}."


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    known = {line.partition(":")[0] for line in makefile if not line.startswith(("\t", "#", " ", "."))}
    assert make_targets(page) <= known


def test_every_page_of_docs_is_on_the_map_of_the_readme() -> None:
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in links(README)}
    missing = [label(page) for page in PAGES if page.parent == ROOT / "docs" and page not in linked]
    assert not missing, f"README.md: add a line to the map for {missing}."


@pytest.mark.parametrize("page", [README, ROOT / "training" / "README.md"], ids=label)
def test_a_readme_is_short(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= SCREENS


def test_no_page_shows_the_old_module_commands() -> None:
    assert not [label(page) for page in PAGES if "-m training." in page.read_text(encoding="utf-8")]
