"""Pages keep their text unless they contain both markers of a table exactly once and in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from igr_core.errors import IGRError
from training.evaluation.tables.markdown import fill_markers, markdown


def test_a_table_is_written_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- evidence:a -->\nold\n<!-- /evidence:a -->\nafter\n")
    fill_markers(page, "a", "\n| new |\n")
    assert page.read_text() == "before\n<!-- evidence:a -->\n| new |\n<!-- /evidence:a -->\nafter\n"


@pytest.mark.parametrize("text", ["", "<!-- evidence:a -->", "<!-- /evidence:a --><!-- evidence:a -->"])
def test_pages_without_their_markers_stay_as_they_were(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(IGRError, match="evidence:a"):
        fill_markers(page, "a", "table")
    assert page.read_text() == text


def test_names_in_cells_neither_end_their_column_nor_open_a_tag() -> None:
    table = markdown(["", "a<b"], [["one|two <script>\nthree", "**1**"]]).splitlines()
    assert table[0] == "|  | a&lt;b |" and table[1] == "| --- | ---: |"
    assert len(table) == 3 and table[2].startswith(r"| one\|two &lt;script>") and table[2].endswith(" | **1** |")
