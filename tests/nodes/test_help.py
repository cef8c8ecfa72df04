"""Every node has a help page that explains each of its inputs and outputs, and shows the node."""

from __future__ import annotations

import re

import pytest

from tests.support.nodes.node_schemas import ROOT, our_schemas

DOCS = ROOT / "web" / "docs"


def test_every_node_has_a_help_page() -> None:
    assert {path.stem for path in DOCS.glob("*.md")} == set(our_schemas())


@pytest.mark.parametrize("name", sorted(our_schemas()))
def test_help_pages_explain_every_input_and_output(name: str) -> None:
    parts = re.split(r"^## ", (DOCS / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {part.split("\n", 1)[0]: part for part in parts[1:]}
    assert {"Inputs", "Outputs", "Tips", "Troubleshooting"} <= set(sections)
    schema = our_schemas()[name]
    assert _rows(sections["Inputs"]) == {one.name for one in schema.inputs}
    assert _rows(sections["Outputs"]) == {output for output, _ in schema.outputs}


def _rows(section: str) -> set[str]:
    """First cells of a table that are code."""
    return set(re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE))


@pytest.mark.parametrize("name", sorted(our_schemas()))
def test_help_pages_show_an_image_from_where_the_host_serves_it(name: str) -> None:
    targets = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (DOCS / f"{name}.md").read_text(encoding="utf-8"))
    assert targets[0] == f"img/{name}.png"  # the first image shows the node, the others its results
    assert all((DOCS / target).is_file() and target.startswith(f"img/{name}") for target in targets)
